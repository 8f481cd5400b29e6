"""Who answers the cascade's calls: Triton's models, or the same files in this process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_cascade import ONET, PNET, RNET, Call, Limits, Network
from face_cascade.calls import Map, Outputs
from face_cascade.networks import ONET_SIZE, RNET_SIZE
from face_cascade.tiles import TILE_SHAPES, TILE_SIZE
from face_server.runtime.bls import ask
from face_server.runtime.local import local_network

_NETWORKS = (PNET, RNET, ONET)


@dataclass(frozen=True)
class Networks:
    """How to drive the cascade: who answers its calls, what maps over flows that may run together, its limits."""

    run: Callable[[Call], Outputs]
    map: Map
    limits: Limits


def choose(setting: str, on_gpu: bool) -> str:
    """`auto` is `bls` on a GPU, where separate models batch better, and `local` on a CPU, where processes that take
    turns each wake cold."""
    if setting not in ("auto", "bls", "local"):
        raise ValueError(f"networks is {setting!r}, must be auto, bls or local")
    if setting != "auto":
        return setting
    return "bls" if on_gpu else "local"


def through_triton() -> Networks:
    """Networks as Triton's own models, in batches as large as they take."""
    return Networks(_ask_triton, map, Limits())


def _ask_triton(call: Call) -> Outputs:
    return ask(call.network, call.batch, call.network.outputs)


def in_this_process(repository: Path, workers: int) -> Networks:
    """The latest version of each network in the model repository, on the CPU of this process.

    Each of the workers takes a batch of its own through cropping, network and reading out, on one core: that
    keeps all cores busy where threads inside of the network's operations would wait for each other.
    """
    limits = Limits(rnet=256, onet=64, pnet_pixels=4 * TILE_SIZE * TILE_SIZE, parallel=workers)
    networks = {n: local_network(n, _latest(repository / n.name) / "model.pt") for n in _NETWORKS}
    for network, shape in _warm_up_shapes(limits):
        # The first passes compile: better now than for the first caller.
        for _ in range(3):
            networks[network](np.zeros(shape, np.float32))
    pool = ThreadPoolExecutor(workers, "network")
    return Networks(lambda call: networks[call.network](call.batch), pool.map, limits)


def _warm_up_shapes(limits: Limits) -> list[tuple[Network, tuple[int, ...]]]:
    return [
        *((PNET, (limits.pnet_tiles(height, width), 3, height, width)) for height, width in TILE_SHAPES),
        (RNET, (limits.rnet, 3, RNET_SIZE, RNET_SIZE)),
        (ONET, (limits.onet, 3, ONET_SIZE, ONET_SIZE)),
    ]


def _latest(model: Path) -> Path:
    return max((p for p in model.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
