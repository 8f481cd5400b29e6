"""How the cascade is driven on the CPU of this process, whatever made its networks. Knows nothing of Triton."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from face_cascade import ONET, PNET, RNET, Call, Limits, Network
from face_cascade.calls import Map, Outputs
from face_cascade.compiled import Batch
from face_cascade.tiles import TILE_SHAPES, TILE_SIZE


@dataclass(frozen=True)
class Networks:
    """How to drive the cascade: who answers its calls, what maps over flows that may run together, its limits."""

    run: Callable[[Call], Outputs]
    map: Map
    limits: Limits


def on_this_processor(networks: Mapping[Network, Callable[[Batch], Outputs]], workers: int) -> Networks:
    """PNet, RNet and ONet in this process.

    Each of the workers takes a batch of its own through cropping, network and reading out, on one core: that
    keeps all cores busy where threads inside of the network's operations would wait for each other.
    """
    limits = Limits(rnet=256, onet=64, pnet_pixels=4 * TILE_SIZE * TILE_SIZE, parallel=workers)
    for network, shape in _warm_up_shapes(limits):
        # The first passes compile: better now than for the first caller.
        for _ in range(3):
            networks[network](np.zeros(shape, np.float32))
    pool = ThreadPoolExecutor(workers, "network")
    return Networks(lambda call: networks[call.network](call.batch), pool.map, limits)


def _warm_up_shapes(limits: Limits) -> list[tuple[Network, tuple[int, ...]]]:
    return [
        *((PNET, (limits.pnet_tiles(height, width), 3, height, width)) for height, width in TILE_SHAPES),
        (RNET, (limits.rnet, 3, RNET.side, RNET.side)),
        (ONET, (limits.onet, 3, ONET.side, ONET.side)),
    ]
