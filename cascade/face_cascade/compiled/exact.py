"""A network on crops by plain sums in float64, slowly: what the rounding of a compiled one is measured by."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from face_cascade.compiled.layers import face_probability
from face_cascade.weights import Weights

Float64 = NDArray[np.float64]


def exact_outputs(
    weights: Weights, poolings: Sequence[int], heads: Sequence[str], crops: NDArray[np.float32]
) -> tuple[Float64, ...]:
    """The network's outputs for crops [N,3,side,side]; poolings: the windows behind conv1, …; heads: their names."""
    maps: Float64 = (crops.astype(np.float64) - 127.5) / 128
    last = len(poolings) + 1
    for number in range(1, last + 1):
        weight = weights[f"conv{number}.weight"].astype(np.float64)
        windows = sliding_window_view(maps, (1, 1, *weight.shape[2:]))[..., 0, 0, :, :]
        sums = np.moveaxis(np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))), 3, 1)
        maps = _activated(sums, weights, "conv", number)
        if number < last:
            maps = _pooled(maps, poolings[number - 1])
    # Trained with x before y before channels.
    features = maps.transpose(0, 3, 2, 1).reshape(len(maps), -1)
    hidden = _activated(features @ weights[f"dense{last + 1}.weight"].T.astype(np.float64), weights, "dense", last + 1)
    *others, scores = (
        hidden @ weights[f"{name}.weight"].T.astype(np.float64) + weights[f"{name}.bias"] for name in heads
    )  # fmt: skip
    return (*others, face_probability(scores)[:, np.newaxis])


def _activated(sums: Float64, weights: Weights, kind: str, number: int) -> Float64:
    """[N,C,…] with bias and PReLU."""
    of_channel = (-1, *[1] * (sums.ndim - 2))
    biased = sums + weights[f"{kind}{number}.bias"].reshape(of_channel)
    return np.where(biased < 0, biased * weights[f"prelu{number}.weight"].reshape(of_channel), biased)


def _pooled(maps: Float64, window: int) -> Float64:
    """The largest of each window, stride 2; one that is cut by the far edges counts."""
    beyond = [(0, (size - window) % 2) for size in maps.shape[2:]]
    filled = np.pad(maps, [(0, 0), (0, 0), *beyond], constant_values=-np.inf)
    last_row, last_column = (size - window + 1 for size in filled.shape[2:])
    places = [filled[:, :, y : y + last_row : 2, x : x + last_column : 2] for y in range(window) for x in range(window)]
    return reduce(np.maximum, places)
