"""PNet on a GPU as three kernels instead of thirty: maps are written once a layer, with their channels last.

cuDNN is made for hundreds of channels. With PNet's 10 to 32 most of the time goes to activation, pooling and changes of
layout, each a pass over maps of half a gigabyte for eight images of 1920x1080.
"""

from collections.abc import Mapping

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray
from torch import Tensor

from face_cascade.networks import PNET
from face_cascade.weights import checked

_CHANNELS = 16
"""Of a map between layers: conv1 has 10, filled up with zeros for the matrix units."""

# Chosen on an H200 from 64, 128 and 256: 2.4 ms for 216 tiles, against 7.5 ms in torch.
_POOLED_BLOCK = 64
_BLOCK = 64

_PRECISION = "tf32x3"
"""Three products of matrix units for one of float32: as exact, and faster by a sixth."""

_SHAPES = {
    "conv1.weight": (10, 3, 3, 3),
    "conv2.weight": (16, 10, 3, 3),
    "conv3.weight": (32, 16, 3, 3),
    "conv4_1.weight": (2, 32, 1, 1),
    "conv4_2.weight": (4, 32, 1, 1),
    "conv4_1.bias": (2,),
    "conv4_2.bias": (4,),
    **{
        f"{kind}{n}.{part}": (c,)
        for n, c in ((1, 10), (2, 16), (3, 32))
        for kind, part in (("conv", "bias"), ("prelu", "weight"))
    },
}


@triton.jit
def _prelu(values, slopes):  # type: ignore[no-untyped-def]
    return tl.where(values > 0, values, values * slopes[None, :])


@triton.jit
def _first(tiles, weights, bias, slopes, out, height, width, BLOCK: tl.constexpr, CHANNELS: tl.constexpr):  # type: ignore[no-untyped-def]
    """conv1, PReLU and pooling: tiles FP32 [T,3,H,W] → [T,h,w,CHANNELS], h = ⌈(H−2)/2⌉. weights: [27,CHANNELS]."""
    pooled_height, pooled_width = (height - 1) // 2, (width - 1) // 2
    tile = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < pooled_height * pooled_width
    top, left = place // pooled_width * 2, place % pooled_width * 2
    channels = tl.arange(0, CHANNELS)
    start = tl.zeros((BLOCK, CHANNELS), tl.float32) + tl.load(bias + channels)[None, :]
    upper_left, upper_right, lower_left, lower_right = start, start, start, start
    for channel in tl.static_range(3):
        plane = tiles + (tile * 3 + channel) * height * width
        for y in tl.static_range(4):
            for x in tl.static_range(4):
                seen = inside & (top + y < height) & (left + x < width)
                pixel = (tl.load(plane + (top + y) * width + left + x, mask=seen, other=0) - 127.5)[:, None]
                if y < 3 and x < 3:
                    upper_left += pixel * tl.load(weights + (channel * 9 + y * 3 + x) * CHANNELS + channels)[None, :]
                if y < 3 and x > 0:
                    upper_right += (
                        pixel * tl.load(weights + (channel * 9 + y * 3 + x - 1) * CHANNELS + channels)[None, :]
                    )
                if y > 0 and x < 3:
                    lower_left += (
                        pixel * tl.load(weights + (channel * 9 + y * 3 + x - 3) * CHANNELS + channels)[None, :]
                    )
                if y > 0 and x > 0:
                    lower_right += (
                        pixel * tl.load(weights + (channel * 9 + y * 3 + x - 4) * CHANNELS + channels)[None, :]
                    )
    slope = tl.load(slopes + channels)
    # A window that passes the edge has fewer pixels; its first one is always there.
    has_right, has_lower = (left + 1 < width - 2)[:, None], (top + 1 < height - 2)[:, None]
    least = float("-inf")
    best = _prelu(upper_left, slope)
    best = tl.maximum(best, tl.where(has_right, _prelu(upper_right, slope), least))
    best = tl.maximum(best, tl.where(has_lower, _prelu(lower_left, slope), least))
    best = tl.maximum(best, tl.where(has_right & has_lower, _prelu(lower_right, slope), least))
    target = out + (tile * pooled_height * pooled_width + place)[:, None] * CHANNELS + channels[None, :]
    tl.store(target, best, mask=inside[:, None])


@triton.jit
def _convolved(  # type: ignore[no-untyped-def]
    source,
    weights,
    bias,
    slopes,
    tile,
    place,
    inside,
    height,
    width,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """3×3 convolution and PReLU at places of a map [T,height,width,INPUTS]: FP32 [BLOCK,OUTPUTS]."""
    row, column = place // (width - 2), place % (width - 2)
    inputs, outputs = tl.arange(0, INPUTS), tl.arange(0, OUTPUTS)
    sums = tl.zeros((BLOCK, OUTPUTS), tl.float32) + tl.load(bias + outputs)[None, :]
    for y in tl.static_range(3):
        for x in tl.static_range(3):
            at = (tile * height + row + y) * width + column + x
            seen = tl.load(source + at[:, None] * INPUTS + inputs[None, :], mask=inside[:, None], other=0)
            weight = tl.load(weights + ((y * 3 + x) * INPUTS + inputs)[:, None] * OUTPUTS + outputs[None, :])
            sums = tl.dot(seen, weight, sums, input_precision=PRECISION)
    return _prelu(sums, tl.load(slopes + outputs))


@triton.jit
def _second(  # type: ignore[no-untyped-def]
    source,
    weights,
    bias,
    slopes,
    out,
    height,
    width,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """conv2 and PReLU: [T,height,width,INPUTS] → [T,height−2,width−2,OUTPUTS]. weights: [3,3,INPUTS,OUTPUTS]."""
    tile = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    places = (height - 2) * (width - 2)
    inside = place < places
    sums = _convolved(
        source, weights, bias, slopes, tile, place, inside, height, width, INPUTS, OUTPUTS, BLOCK, PRECISION
    )
    target = out + (tile * places + place)[:, None] * OUTPUTS + tl.arange(0, OUTPUTS)[None, :]
    tl.store(target, sums, mask=inside[:, None])


@triton.jit
def _third(  # type: ignore[no-untyped-def]
    source,
    weights,
    bias,
    slopes,
    heads,
    heads_bias,
    regression,
    probability,
    height,
    width,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    HEADS: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """conv3, PReLU and the heads: [T,height,width,INPUTS] → regression [T,4,h,w], probability [T,h,w].

    heads: [OUTPUTS,HEADS], of which four are the regression's, then no face, then face, then zeros.
    """
    tile = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    places = (height - 2) * (width - 2)
    inside = place < places
    maps = _convolved(
        source, weights, bias, slopes, tile, place, inside, height, width, INPUTS, OUTPUTS, BLOCK, PRECISION
    )
    number, outputs = tl.arange(0, HEADS), tl.arange(0, OUTPUTS)
    weight = tl.load(heads + outputs[:, None] * HEADS + number[None, :])
    start = tl.zeros((BLOCK, HEADS), tl.float32) + tl.load(heads_bias + number)[None, :]
    said = tl.dot(maps.to(weight.dtype), weight, start, input_precision=PRECISION)
    target = regression + (tile * 4 + number[None, :]) * places + place[:, None]
    tl.store(target, said, mask=inside[:, None] & (number < 4)[None, :])
    no_face = tl.sum(tl.where((number == 4)[None, :], said, 0), 1)
    face = tl.sum(tl.where((number == 5)[None, :], said, 0), 1)
    # The softmax of two is the logistic function of their difference.
    tl.store(probability + tile * places + place, 1 / (1 + tl.exp(no_face - face)), mask=inside)


class KernelPNet:
    """FP32 [T,3,H,W], 0…255 → regression FP32 [T,4,h,w], probability FP32 [T,h,w]; h = ⌈(H−2)/2⌉−4.

    Args:
        weights: under the names of facenet-pytorch's state dict. Raises WrongWeights where they are not exactly PNet's.
        half: maps and weights after the first layer are FP16; sums stay FP32.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], device: torch.device, half: bool = False) -> None:
        weights = checked(PNET, weights, _SHAPES)
        self._device = device
        self._type = torch.float16 if half else torch.float32

        def sent(array: NDArray[np.float32], dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device, dtype)

        def channels(name: str) -> Tensor:
            return sent(_filled(weights[name], 0))

        # Scaled by a power of two: the bits are those of scaled pixels.
        first = weights["conv1.weight"].reshape(10, 27).T / np.float32(128)
        second = _filled(weights["conv2.weight"].transpose(2, 3, 1, 0), 2)
        heads = np.concatenate([weights["conv4_2.weight"], weights["conv4_1.weight"]])[:, :, 0, 0].T
        heads_bias = np.concatenate([weights["conv4_2.bias"], weights["conv4_1.bias"]])
        self._first = sent(_filled(first, 1)), channels("conv1.bias"), channels("prelu1.weight")
        self._second = sent(second, self._type), sent(weights["conv2.bias"]), sent(weights["prelu2.weight"])
        third = sent(weights["conv3.weight"].transpose(2, 3, 1, 0), self._type)
        self._third = third, sent(weights["conv3.bias"]), sent(weights["prelu3.weight"])
        self._heads = sent(_filled(heads, 1), self._type), sent(_filled(heads_bias, 0))

    def __call__(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        count, _, height, width = tiles.shape
        high, wide = (height - 1) // 2, (width - 1) // 2

        def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty((count, *shape), dtype=dtype, device=self._device)

        pooled = empty(high, wide, _CHANNELS, dtype=self._type)
        _first[_grid(high * wide, _POOLED_BLOCK, count)](
            tiles, *self._first, pooled, height, width, _POOLED_BLOCK, _CHANNELS
        )
        middle = empty(high - 2, wide - 2, 16, dtype=self._type)
        grid = _grid((high - 2) * (wide - 2), _BLOCK, count)
        _second[grid](pooled, *self._second, middle, high, wide, _CHANNELS, 16, _BLOCK, _PRECISION)
        regression, probability = empty(4, high - 4, wide - 4), empty(high - 4, wide - 4)
        grid = _grid((high - 4) * (wide - 4), _BLOCK, count)
        _third[grid](
            middle,
            *self._third,
            *self._heads,
            regression,
            probability,
            high - 2,
            wide - 2,
            16,
            32,
            16,
            _BLOCK,
            _PRECISION,
        )
        return regression, probability


def _grid(places: int, block: int, count: int) -> tuple[int, int]:
    return triton.cdiv(places, block), count


def _filled(array: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """With zeros behind, to 16 along an axis."""
    return np.pad(array, [(0, _CHANNELS - size if n == axis else 0) for n, size in enumerate(array.shape)])
