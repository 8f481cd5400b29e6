"""ONet: crop by crop through the convolutions, then all crops through the dense layers."""

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
from face_cascade.networks import ONET

# Dense layers take so many crops at a time, whatever the batch.
_CROPS = 8

_CONV1 = Convolution(3, 3, 3, 32, typical_width=46, pixel_floats=1)
_CONV2 = Convolution(3, 3, 32, 64, typical_width=21)
_CONV3 = Convolution(3, 3, 64, 64, typical_width=8)
_CONV4 = Convolution(2, 2, 64, 128, typical_width=3)
_DENSE5 = Convolution(1, 1, 3 * 3 * 128, 256, typical_width=_CROPS)
_HEADS = Convolution(1, 1, 256, 16, typical_width=_CROPS, activation=False)

_conv1 = on_pixels(_CONV1)
_conv2, _conv3, _conv4 = (on_map(layer) for layer in (_CONV2, _CONV3, _CONV4))
_dense5, _heads = (on_map(layer) for layer in (_DENSE5, _HEADS))
_pool1, _pool2, _pool3 = pool(3, _CONV1), pool(3, _CONV2), pool(2, _CONV3)

_MAPS = ((46, _CONV1), (23, _CONV1), (21, _CONV2), (10, _CONV2), (8, _CONV3), (4, _CONV3))
"""Sides of the square maps up to conv4, and the layers whose channels they have."""


class CompiledONet:
    """FP32 [N,3,48,48], 0…255 → regression FP32 [N,4], landmarks FP32 [N,10], probability FP32 [N,1]."""

    def __init__(self, weights: Weights) -> None:
        self._packed = (
            packed_first(_CONV1, weights),
            *(packed_convolution(layer, weights, n) for n, layer in ((2, _CONV2), (3, _CONV3), (4, _CONV4))),
            packed_dense(_DENSE5, weights, 5),
            packed_heads(_HEADS, weights, ("dense6_2", "dense6_3", "dense6_1")),
        )

    def __call__(self, crops: Float32) -> tuple[Float32, Float32, Float32]:
        count = len(crops)
        pixels = np.empty((3, ONET.side, ONET.side), np.float32)
        maps = tuple(np.empty((side, side, layer.vectors * LANES), np.float32) for side, layer in _MAPS)
        features = np.empty((count, 3, 3, 128), np.float32)
        hidden = np.empty((1, count, 256), np.float32)
        heads = np.empty((1, count, _HEADS.vectors * LANES), np.float32)
        _run(np.ascontiguousarray(crops), self._packed, pixels, maps, features, hidden, heads)
        found = heads[0]
        return found[:, :4].copy(), found[:, 4:14].copy(), face_probability(found[:, 14:16])[:, np.newaxis]


@numba.njit(nogil=True, error_model="numpy")
def _run(crops, packed, pixels, maps, features, hidden, heads):  # type: ignore[no-untyped-def]
    conv1, pool1, conv2, pool2, conv3, pool3 = maps
    for n in range(len(crops)):
        subtract_mean(crops[n], pixels)
        _conv1(pixels, packed[0], conv1)
        _pool1(conv1, pool1)
        _conv2(pool1, packed[1], conv2)
        _pool2(conv2, pool2)
        _conv3(pool2, packed[2], conv3)
        _pool3(conv3, pool3)
        _conv4(pool3, packed[3], features[n])
    _dense5(features.reshape(1, len(crops), 3 * 3 * 128), packed[4], hidden)
    _heads(hidden, packed[5], heads)
