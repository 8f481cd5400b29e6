"""What the three networks have in common: their tensors by name, packing, layers on arrays, probabilities.

Whoever calls a layer must keep its arrays: a kernel knows them by their addresses only.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from face_cascade.compiled import convolution, pooling
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.few_channels import FewChannels
from face_cascade.compiled.winograd import Winograd
from face_cascade.machine_code import named
from face_cascade.weights import Weights

Float32 = NDArray[np.float32]

Shapes = dict[str, tuple[int, ...]]
"""Of tensors under such names."""

Way: TypeAlias = Convolution | FewChannels | Winograd
"""How a convolution is done: by plain sums or by Winograd's filtering."""

Packed = Float32 | tuple[Float32, Float32]
"""What the kernels of a layer read."""

SCALE = np.float32(1 / 128)


def convolution_shapes(layer: Convolution, number: int) -> Shapes:
    """What `packed_convolution` reads."""
    return {
        f"conv{number}.weight": (layer.outputs, layer.inputs, layer.height, layer.width),
        **_rest("conv", layer, number),
    }


def dense_shapes(layer: Convolution, number: int) -> Shapes:
    """What `packed_dense` reads."""
    return {f"dense{number}.weight": (layer.outputs, layer.inputs), **_rest("dense", layer, number)}


def _rest(kind: str, layer: Convolution, number: int) -> Shapes:
    return {f"{kind}{number}.bias": (layer.outputs,), f"prelu{number}.weight": (layer.outputs,)}


def head_shapes(layer: Convolution, heads: Mapping[str, int], window: tuple[int, ...]) -> Shapes:
    """What `packed_heads` reads; window: (1, 1) of convolutions, () of dense layers."""
    weights = {f"{name}.weight": (channels, layer.inputs, *window) for name, channels in heads.items()}
    return {**weights, **{f"{name}.bias": (channels,) for name, channels in heads.items()}}


def packed_first(layer: Way, weights: Weights) -> Packed:
    """conv1 for pixels less their mean. Scaling its weights by a power of two gives the bits of scaled pixels."""
    return layer.packed(weights["conv1.weight"] * SCALE, weights["conv1.bias"], weights["prelu1.weight"])


def packed_convolution(layer: Way, weights: Weights, number: int) -> Packed:
    return layer.packed(
        weights[f"conv{number}.weight"], weights[f"conv{number}.bias"], weights[f"prelu{number}.weight"]
    )


def packed_dense(layer: Convolution, weights: Weights, number: int) -> Float32:
    """A dense layer on maps of 3×3 pixels: trained with x before y before channels, packed for y, x, channels."""
    by_place = weights[f"dense{number}.weight"].reshape(layer.outputs, 3, 3, -1).transpose(0, 2, 1, 3)
    weight = by_place.reshape(layer.outputs, -1, 1, 1)
    return layer.packed(weight, weights[f"dense{number}.bias"], weights[f"prelu{number}.weight"])


def packed_heads(layer: Convolution, weights: Weights, heads: Mapping[str, int]) -> Float32:
    """All heads as one layer without PReLU, in their order."""
    weight = np.concatenate([weights[f"{name}.weight"] for name in heads])
    bias = np.concatenate([weights[f"{name}.bias"] for name in heads])
    return layer.packed(weight.reshape(layer.outputs, -1, 1, 1), bias, None)


def on_pixels(layer: Convolution) -> Any:
    """The first convolution for numba code: f(source [3,H,W], packed, target [h,w,C]); the target tells the size."""
    kernel = convolution.kernel(layer)

    @numba.njit
    @named(layer)
    def convolve(source, packed, target):  # type: ignore[no-untyped-def]
        plane, row, _ = source.strides
        height, width, _ = target.shape
        kernel(source.ctypes.data, row, plane, height, width, packed.ctypes.data, target.ctypes.data, target.strides[0])

    return convolve


def on_map(layer: Convolution) -> Any:
    """A convolution for numba code: f(source [H,W,C], packed, target [h,w,C]); the target tells the size."""
    kernel = convolution.kernel(layer)

    @numba.njit
    @named(layer)
    def convolve(source, packed, target):  # type: ignore[no-untyped-def]
        row = source.strides[0]
        height, width, _ = target.shape
        kernel(source.ctypes.data, row, 4, height, width, packed.ctypes.data, target.ctypes.data, target.strides[0])

    return convolve


def pool(window: int, layer: Convolution) -> Any:
    """Max-pooling of a layer's output for numba code: f(source [H,W,C], target [h,w,C])."""
    kernel = pooling.kernel(window, layer.vectors)

    @numba.njit
    @named(window, layer)
    def pool_map(source, target):  # type: ignore[no-untyped-def]
        height, width, _ = source.shape
        to_height, to_width, _ = target.shape
        kernel(
            source.ctypes.data, source.strides[0], height, width,
            target.ctypes.data, target.strides[0], to_height, to_width,
        )  # fmt: skip

    return pool_map


@numba.njit(inline="always")
def subtract_mean(pixels, target):  # type: ignore[no-untyped-def]
    """pixels − 127.5, [3,H,W] to [3,H,W]."""
    for c in range(3):
        for i in range(pixels.shape[1]):
            for j in range(pixels.shape[2]):
                target[c, i, j] = pixels[c, i, j] - np.float32(127.5)


def face_probability(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores (no face, face) of the last axis → probability of a face: the softmax of two is the logistic function
    of their difference."""
    return logistic(scores[..., 1] - scores[..., 0])


def logistic(logits: NDArray[Any]) -> NDArray[Any]:
    """What is likelier than not is above 0."""
    with np.errstate(over="ignore"):
        probability: NDArray[Any] = 1 / (1 + np.exp(-logits))
    return probability
