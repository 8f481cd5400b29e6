"""RNet: crop by crop through the convolutions, then all crops through the dense layers."""

import numba
import numpy as np

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.layers import (
    Float32,
    Weights,
    face_probability,
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
from face_cascade.networks import RNET

# Dense layers take so many crops at a time, whatever the batch.
_CROPS = 8

_CONV1 = Convolution(3, 3, 3, 28, typical_width=22, pixel_floats=1)
_CONV2 = Convolution(3, 3, 28, 48, typical_width=9)
_CONV3 = Convolution(2, 2, 48, 64, typical_width=3)
_DENSE4 = Convolution(1, 1, 3 * 3 * 64, 128, typical_width=_CROPS)
_HEADS = Convolution(1, 1, 128, 6, typical_width=_CROPS, activation=False)

_conv1 = on_pixels(_CONV1)
_conv2, _conv3, _dense4, _heads = (on_map(layer) for layer in (_CONV2, _CONV3, _DENSE4, _HEADS))
_pool1, _pool2 = pool(3, _CONV1), pool(3, _CONV2)

_MAPS = ((22, _CONV1), (11, _CONV1), (9, _CONV2), (4, _CONV2))
"""Sides of the square maps up to conv3, and the layers whose channels they have."""


class CompiledRNet:
    """FP32 [N,3,24,24], 0…255 → regression FP32 [N,4], probability FP32 [N,1]."""

    def __init__(self, weights: Weights) -> None:
        self._packed = (
            packed_first(_CONV1, weights),
            packed_convolution(_CONV2, weights, 2),
            packed_convolution(_CONV3, weights, 3),
            packed_dense(_DENSE4, weights, 4),
            packed_heads(_HEADS, weights, ("dense5_2", "dense5_1")),
        )

    def __call__(self, crops: Float32) -> tuple[Float32, Float32]:
        count = len(crops)
        pixels = np.empty((3, RNET.side, RNET.side), np.float32)
        maps = tuple(np.empty((side, side, layer.vectors * LANES), np.float32) for side, layer in _MAPS)
        features = np.empty((count, 3, 3, 64), np.float32)
        hidden = np.empty((1, count, 128), np.float32)
        heads = np.empty((1, count, _HEADS.vectors * LANES), np.float32)
        _run(np.ascontiguousarray(crops), self._packed, pixels, maps, features, hidden, heads)
        return heads[0, :, :4].copy(), face_probability(heads[0, :, 4:6])[:, np.newaxis]


@numba.njit(nogil=True, error_model="numpy")
def _run(crops, packed, pixels, maps, features, hidden, heads):  # type: ignore[no-untyped-def]
    conv1, pool1, conv2, pool2 = maps
    for n in range(len(crops)):
        subtract_mean(crops[n], pixels)
        _conv1(pixels, packed[0], conv1)
        _pool1(conv1, pool1)
        _conv2(pool1, packed[1], conv2)
        _pool2(conv2, pool2)
        _conv3(pool2, packed[2], features[n])
    _dense4(features.reshape(1, len(crops), 3 * 3 * 64), packed[3], hidden)
    _heads(hidden, packed[4], heads)
