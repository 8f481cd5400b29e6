"""RNet and ONet: crop by crop through the convolutions, then all crops through the dense layers.

Both are made from one description: convolutions with a pooling behind each but the last, a dense layer, heads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numba
import numpy as np

from face_cascade.calls import Outputs
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.layers import (
    Float32,
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
from face_cascade.compiled.vectors import LANES
from face_cascade.machine_code import kept, named
from face_cascade.networks import ONET, RNET, Network
from face_cascade.weights import Weights, checked

# Dense layers take so many crops at a time, whatever the batch.
_CROPS = 8


@dataclass(frozen=True)
class CropNetwork:
    """A network over FP32 [N,3,side,side], 0…255, that answers with one row a crop.

    convolutions: conv1, conv2, …, the last of which gives maps of 3×3 pixels. poolings: the windows behind all but
    that one. hidden: outputs of the dense layer; its number follows the last convolution's. heads: channels by name,
    in the order of the network's outputs; the last one's two are the scores of no face and of a face.
    """

    network: Network
    convolutions: Sequence[Convolution]
    poolings: Sequence[int]
    hidden: int
    heads: Mapping[str, int]

    def __call__(self, weights: Weights) -> "CompiledCropNetwork":
        """Raises WrongWeights."""
        return CompiledCropNetwork(self, weights)

    @cached_property
    def dense(self) -> Convolution:
        return Convolution(1, 1, 3 * 3 * self.convolutions[-1].outputs, self.hidden, typical_width=_CROPS)

    @cached_property
    def head(self) -> Convolution:
        return Convolution(1, 1, self.hidden, sum(self.heads.values()), typical_width=_CROPS, activation=False)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all its tensors, by name."""
        shapes = head_shapes(self.head, self.heads, ())
        for number, layer in enumerate(self.convolutions, 1):
            shapes |= convolution_shapes(layer, number)
        return shapes | dense_shapes(self.dense, len(self.convolutions) + 1)

    @cached_property
    def columns(self) -> list[slice]:
        """Where each head's channels lie."""
        ends = list(accumulate(self.heads.values()))
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    @cached_property
    def map_shapes(self) -> Sequence[tuple[int, ...]]:
        """Of the pixels of a crop and of each map that another layer reads but the dense one."""
        side = self.network.side
        shapes = [(3, side, side)]
        for layer, window in zip(self.convolutions, self.poolings, strict=False):
            side -= layer.height - 1
            shapes.append((side, side, layer.vectors * LANES))
            side = -(-(side - window) // 2) + 1
            shapes.append((side, side, layer.vectors * LANES))
        return shapes

    def packed(self, weights: Weights) -> tuple[Float32, ...]:
        """What the kernels read, layer by layer."""
        first, *others = self.convolutions
        return (
            packed_first(first, weights),
            *(packed_convolution(layer, weights, number) for number, layer in enumerate(others, 2)),
            packed_dense(self.dense, weights, len(self.convolutions) + 1),
            packed_heads(self.head, weights, self.heads),
        )

    @cached_property
    def run(self) -> Any:
        """The network for numba code: f(crops, packed, maps, features [N,3,3,C], hidden [1,N,·], heads [1,N,·])."""
        convolve, dense, head = self._convolutions(0), on_map(self.dense), on_map(self.head)
        number, floats = len(self.convolutions), 3 * 3 * self.convolutions[-1].outputs

        @kept()
        @named(self)
        def run(crops, packed, maps, features, hidden, heads):  # type: ignore[no-untyped-def]
            for n in range(len(crops)):
                subtract_mean(crops[n], maps[0])
                convolve(maps, packed, features[n])
            dense(features.reshape(1, len(crops), floats), packed[number], hidden)
            head(hidden, packed[number + 1], heads)

        return run

    def _convolutions(self, number: int) -> Any:
        """The convolutions from this number on, counted from 0: f(maps, packed, features)."""
        layer = self.convolutions[number]
        convolve = on_map(layer) if number else on_pixels(layer)
        if number == len(self.poolings):

            @numba.njit(inline="always")
            def last(maps, packed, features):  # type: ignore[no-untyped-def]
                convolve(maps[2 * number], packed[number], features)

            return last
        pool_map, following = pool(self.poolings[number], layer), self._convolutions(number + 1)

        @numba.njit(inline="always")
        def with_those_that_follow(maps, packed, features):  # type: ignore[no-untyped-def]
            convolve(maps[2 * number], packed[number], maps[2 * number + 1])
            pool_map(maps[2 * number + 1], maps[2 * number + 2])
            following(maps, packed, features)

        return with_those_that_follow


class CompiledCropNetwork:
    """FP32 [N,3,side,side], 0…255 → one output a head, FP32 [N,channels]; of the scores the probability [N,1]."""

    def __init__(self, description: CropNetwork, weights: Weights) -> None:
        weights = checked(description.network, weights, description.shapes)
        self._of = description
        self._packed = description.packed(weights)

    def __call__(self, crops: Float32) -> Outputs:
        of, count = self._of, len(crops)
        maps = tuple(np.empty(shape, np.float32) for shape in of.map_shapes)
        features = np.empty((count, 3, 3, of.convolutions[-1].outputs), np.float32)
        hidden = np.empty((1, count, of.hidden), np.float32)
        heads = np.empty((1, count, of.head.vectors * LANES), np.float32)
        of.run(np.ascontiguousarray(crops), self._packed, maps, features, hidden, heads)
        *others, scores = (heads[0, :, columns] for columns in of.columns)
        return (*(found.copy() for found in others), face_probability(scores)[:, np.newaxis])


COMPILED_RNET = CropNetwork(
    RNET,
    convolutions=(
        Convolution(3, 3, 3, 28, typical_width=22, pixel_floats=1),
        Convolution(3, 3, 28, 48, typical_width=9),
        Convolution(2, 2, 48, 64, typical_width=3),
    ),
    poolings=(3, 3),
    hidden=128,
    heads={"dense5_2": 4, "dense5_1": 2},
)

COMPILED_ONET = CropNetwork(
    ONET,
    convolutions=(
        Convolution(3, 3, 3, 32, typical_width=46, pixel_floats=1),
        Convolution(3, 3, 32, 64, typical_width=21),
        Convolution(3, 3, 64, 64, typical_width=8),
        Convolution(2, 2, 64, 128, typical_width=3),
    ),
    poolings=(3, 3, 2),
    hidden=256,
    heads={"dense6_2": 4, "dense6_3": 10, "dense6_1": 2},
)
