"""RNet and ONet: crop by crop through the convolutions, then all crops through the dense layers.

Both are made from one description: convolutions with a pooling behind each but the last, a dense layer, heads. Most of
both, the convolutions of 3×3 with many channels, is done by Winograd's filtering in small tiles, beside whose rounding
the dense layers' is more. Where a network's weights make it rough, plain sums do all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import numba
import numpy as np

from face_cascade.calls import Outputs
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.exact import exact_outputs
from face_cascade.compiled.few_channels import FewChannels, on_planes, source_width
from face_cascade.compiled.layers import (
    Float32,
    Packed,
    Way,
    convolution_shapes,
    dense_shapes,
    face_probability,
    head_shapes,
    on_map,
    on_pixels,
    packed_convolution,
    packed_dense,
    packed_first,
    packed_heads,
    pool,
    subtract_mean,
)
from face_cascade.compiled.winograd import Winograd, on_tiles
from face_cascade.machine_code import kept, named
from face_cascade.networks import ONET, RNET, Network
from face_cascade.vectors import LANES
from face_cascade.weights import Weights, checked

# By how much an answer may be off in crops of noise, in which it is as in pictures': 5·10⁻⁷ of RNet, 10⁻⁶ of ONet.
# RNet's boxes are cut to whole pixels: twice the rounding moves twice as many, and plain sums move one in 1,000. Of
# ONet's a face of 1,000 pixels moves by a hundredth with 10⁻⁵.
_ROUGH = {RNET: 1e-6, ONET: 3e-6}

# Dense layers take so many crops at a time, whatever the batch.
_CROPS = 8


@dataclass(frozen=True)
class CropNetwork:
    """A network over FP32 [N,3,side,side], 0…255, that answers with one row a crop.

    convolutions: conv1, conv2, …, each by plain sums or by Winograd's filtering; the last one gives maps of 3×3 pixels.
    poolings: the windows behind all but that one. hidden: outputs of the dense layer; its number follows the last
    convolution's. heads: channels by name, in the order of the network's outputs; the last one's two are the scores of
    no face and of a face.
    """

    network: Network
    convolutions: Sequence[Way]
    poolings: Sequence[int]
    hidden: int
    heads: Mapping[str, int]

    def __call__(self, weights: Weights) -> "CompiledCropNetwork":
        """Raises WrongWeights. Whichever network it returns has run, to measure its rounding."""
        network = CompiledCropNetwork(self, weights)
        error = _error(network, weights)
        if self.by_plain_sums is self or error < _ROUGH[self.network]:
            return network
        return self.by_plain_sums(weights)

    @cached_property
    def by_plain_sums(self) -> "CropNetwork":
        if self.layers == self.convolutions:
            return self
        return replace(self, convolutions=self.layers)

    @cached_property
    def layers(self) -> Sequence[Convolution]:
        """The convolutions, whichever way they are done."""
        return tuple(way if isinstance(way, Convolution) else way.layer for way in self.convolutions)

    @cached_property
    def dense(self) -> Convolution:
        return Convolution(1, 1, 3 * 3 * self.layers[-1].outputs, self.hidden, typical_width=_CROPS)

    @cached_property
    def head(self) -> Convolution:
        return Convolution(1, 1, self.hidden, sum(self.heads.values()), typical_width=_CROPS, activation=False)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all its tensors, by name."""
        shapes = head_shapes(self.head, self.heads, ())
        for number, layer in enumerate(self.layers, 1):
            shapes |= convolution_shapes(layer, number)
        return shapes | dense_shapes(self.dense, len(self.convolutions) + 1)

    @cached_property
    def columns(self) -> list[slice]:
        """Where each head's channels lie."""
        ends = list(accumulate(self.heads.values()))
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    @cached_property
    def map_shapes(self) -> Sequence[tuple[int, ...]]:
        """Of a crop's pixels, with room beside them, and of each map that another layer reads but the dense one."""
        side = self.network.side
        shapes = [(3, side, source_width(side - 2))]
        for layer, window in zip(self.layers, self.poolings, strict=False):
            side -= layer.height - 1
            shapes.append((side, side, layer.vectors * LANES))
            side = -(-(side - window) // 2) + 1
            shapes.append((side, side, layer.vectors * LANES))
        return shapes

    def room(self) -> tuple[Float32, Float32]:
        """Memory for the tiles of one convolution after the other, before and after their products."""
        sizes = zip(self.convolutions, self.map_shapes[1::2], strict=False)
        rooms = [way.maps(width, height) for way, (height, width, _) in sizes if isinstance(way, Winograd)]
        before, after = (max((room[n].size for room in rooms), default=0) for n in (0, 1))
        return np.empty(before, np.float32), np.empty(after, np.float32)

    def packed(self, weights: Weights) -> tuple[Packed, ...]:
        """What the kernels read, layer by layer."""
        return (
            packed_first(self.convolutions[0], weights),
            *(packed_convolution(way, weights, number) for number, way in enumerate(self.convolutions[1:], 2)),
            packed_dense(self.dense, weights, len(self.convolutions) + 1),
            packed_heads(self.head, weights, self.heads),
        )

    @cached_property
    def run(self) -> Any:
        """The network for numba code: f(crops, packed, maps, room, features [N,3,3,C], hidden [1,N,·], heads [1,N,·]).

        Of `packed`, `map_shapes` and `room`.
        """
        convolve, dense, head = self._convolutions(0), on_map(self.dense), on_map(self.head)
        of_dense = len(self.convolutions)
        of_head, floats = of_dense + 1, 3 * 3 * self.layers[-1].outputs

        @kept()
        @named(self)
        def run(crops, packed, maps, room, features, hidden, heads):  # type: ignore[no-untyped-def]
            for n in range(len(crops)):
                subtract_mean(crops[n], maps[0])
                convolve(maps, packed, room, features[n])
            dense(features.reshape(1, len(crops), floats), packed[of_dense], hidden)
            head(hidden, packed[of_head], heads)

        return run

    def _convolutions(self, number: int) -> Any:
        """The convolutions from this number on, counted from 0: f(maps, packed, room, features)."""
        convolve = _on_map(self.convolutions[number])
        if number == len(self.poolings):

            @numba.njit(inline="always")
            def last(maps, packed, room, features):  # type: ignore[no-untyped-def]
                convolve(maps[2 * number], packed[number], room, features)

            return last
        pool_map, following = pool(self.poolings[number], self.layers[number]), self._convolutions(number + 1)

        @numba.njit(inline="always")
        def with_those_that_follow(maps, packed, room, features):  # type: ignore[no-untyped-def]
            convolve(maps[2 * number], packed[number], room, maps[2 * number + 1])
            pool_map(maps[2 * number + 1], maps[2 * number + 2])
            following(maps, packed, room, features)

        return with_those_that_follow


class CompiledCropNetwork:
    """FP32 [N,3,side,side], 0…255 → one output a head, FP32 [N,channels]; of the scores the probability [N,1]."""

    def __init__(self, description: CropNetwork, weights: Weights) -> None:
        weights = checked(description.network, weights, description.shapes)
        self.of = description
        self._packed = description.packed(weights)

    def __call__(self, crops: Float32) -> Outputs:
        of, count = self.of, len(crops)
        pixels, *of_layers = of.map_shapes
        # Zeros: what lies beside a crop is computed with, and comes to nothing.
        maps = (np.zeros(pixels, np.float32), *(np.empty(shape, np.float32) for shape in of_layers))
        features = np.empty((count, 3, 3, of.layers[-1].outputs), np.float32)
        hidden = np.empty((1, count, of.hidden), np.float32)
        heads = np.empty((1, count, of.head.vectors * LANES), np.float32)
        of.run(np.ascontiguousarray(crops), self._packed, maps, of.room(), features, hidden, heads)
        *others, scores = (heads[0, :, columns] for columns in of.columns)
        return (*(found.copy() for found in others), face_probability(scores)[:, np.newaxis])


def _on_map(way: Way) -> Any:
    """A convolution for numba code, whichever way it is done: f(source, packed, room, target)."""
    if isinstance(way, Winograd):
        tiles = on_tiles(way)

        @numba.njit(inline="always")
        def fast(source, packed, room, target):  # type: ignore[no-untyped-def]
            tiles(source, packed[0], packed[1], room[0], room[1], target)

        return fast
    if isinstance(way, FewChannels):
        planes = on_planes(way)

        @numba.njit(inline="always")
        def first(source, packed, room, target):  # type: ignore[no-untyped-def]
            planes(source, packed, target, target.shape[1])

        return first
    sums = on_pixels(way) if way.pixel_floats == 1 else on_map(way)

    @numba.njit(inline="always")
    def plain(source, packed, room, target):  # type: ignore[no-untyped-def]
        sums(source, packed, target)

    return plain


def _error(network: CompiledCropNetwork, weights: Weights) -> float:
    """By how much its answers, at most, miss those of float64, for crops of noise, fine and coarse."""
    of, random = network.of, np.random.default_rng(0)
    side = of.network.side
    fine, coarse = (random.integers(0, 256, (4, 3, side // grain, side // grain)) for grain in (1, 8))
    crops = np.concatenate([fine, np.kron(coarse, np.ones((8, 8), int))]).astype(np.float32)
    with np.errstate(all="ignore"):
        exact = exact_outputs(weights, of.poolings, list(of.heads), crops)
        error = max(np.abs(np.subtract(*both)).max() for both in zip(network(crops), exact, strict=True))
    # Weights that are not finite, or give what is not.
    return float(error) if np.isfinite(error) else np.inf


COMPILED_RNET = CropNetwork(
    RNET,
    convolutions=(
        FewChannels(Convolution(3, 3, 3, 28, typical_width=22, pixel_floats=1)),
        Winograd(Convolution(3, 3, 28, 48, typical_width=9), side=3, typical_height=9),
        Convolution(2, 2, 48, 64, typical_width=3),
    ),
    poolings=(3, 3),
    hidden=128,
    heads={"dense5_2": 4, "dense5_1": 2},
)

COMPILED_ONET = CropNetwork(
    ONET,
    convolutions=(
        FewChannels(Convolution(3, 3, 3, 32, typical_width=46, pixel_floats=1)),
        Winograd(Convolution(3, 3, 32, 64, typical_width=21), side=3, typical_height=21),
        Winograd(Convolution(3, 3, 64, 64, typical_width=8), side=3, typical_height=8),
        Convolution(2, 2, 64, 128, typical_width=3),
    ),
    poolings=(3, 3, 2),
    hidden=256,
    heads={"dense6_2": 4, "dense6_3": 10, "dense6_1": 2},
)
