"""The floor: the time in which this machine could do the networks' arithmetic if it did nothing else."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from face_bench.contenders import OURS
from face_bench.latency import Latency
from face_bench.stages import Breakdown
from face_cascade import DetectionParameters
from face_cascade.networks import ONET, PNET, RNET, Network
from face_cascade.tiles import pyramid_levels
from face_export import mtcnn

_MODULES = {PNET: mtcnn.PNet, RNET: mtcnn.RNet, ONET: mtcnn.ONet}

# Large enough that the product runs at the processor's peak, small enough for a tenth of a second.
_SIDE = 2048
_PRODUCTS = 3


@cache
def network_flops(network: Network, height: int, width: int) -> int:
    """Floating-point operations of one pass over one input: two for every multiplication with its addition.

    Activations, pooling and softmax are left out: they are a few in a hundred, and leaving them out makes the floor
    lower, never higher.
    """
    # The meta device has shapes and no numbers: nothing is computed.
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        _MODULES[network]()(torch.empty(1, 3, height, width))
    return int(counter.get_total_flops())


def pyramid_flops(height: int, width: int) -> int:
    """PNet over all levels of an image, each pixel once."""
    parameters = DetectionParameters()
    levels = pyramid_levels(height, width, parameters.min_face_size, parameters.factor)
    return sum(network_flops(PNET, level.height, level.width) for level in levels)


def candidate_flops(network: Network) -> int:
    """RNet or ONet over one candidate."""
    return network_flops(network, network.side, network.side)


class MatrixRate:
    """The machine's float32 matrix product on all cores, measured between the rounds of the run it is compared with."""

    def __init__(self) -> None:
        self._first, self._second = torch.rand(2, _SIDE, _SIDE)
        self.samples: list[float] = []

    def sample(self) -> None:
        """Takes FLOP/s a few times."""
        for _ in range(_PRODUCTS):
            started = time.perf_counter()
            torch.mm(self._first, self._second)
            self.samples.append(2 * _SIDE**3 / (time.perf_counter() - started))

    @property
    def flops_per_second(self) -> float:
        return median(self.samples)


@dataclass(frozen=True)
class Floor:
    """One picture, sent in one way. Candidates are None where the server has no counters: the floor is PNet's alone."""

    picture: str
    contender: str
    pnet_gflop: float
    rnet_gflop: float
    onet_gflop: float
    rnet_candidates: float | None
    onet_candidates: float | None
    floor_ms: float
    ours_ms: float
    ours_over_floor: float


def floors(latencies: Sequence[Latency], breakdowns: Sequence[Breakdown], flops_per_second: float) -> list[Floor]:
    """For every picture and way of ours."""
    rows = {(b.picture, b.contender): b.rows for b in breakdowns}
    return [
        _floor(latency, rows.get((latency.picture, latency.contender), {}), flops_per_second)
        for latency in latencies
        if latency.contender in OURS
    ]


def _floor(latency: Latency, rows: dict[str, float], flops_per_second: float) -> Floor:
    pnet = pyramid_flops(latency.height, latency.width)
    rnet = candidate_flops(RNET) * rows.get(RNET.name, 0)
    onet = candidate_flops(ONET) * rows.get(ONET.name, 0)
    floor_ms = 1e3 * (pnet + rnet + onet) / flops_per_second
    ours_ms = latency.milliseconds.median
    return Floor(
        latency.picture,
        latency.contender,
        pnet / 1e9,
        rnet / 1e9,
        onet / 1e9,
        rows.get(RNET.name),
        rows.get(ONET.name),
        floor_ms,
        ours_ms,
        ours_ms / floor_ms if floor_ms else float("nan"),
    )
