"""Who answers the cascade's calls: Triton's models, or the same files in this process."""

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from face_cascade import ONET, PNET, RNET, Call, Limits, Network
from face_cascade.calls import Map, Outputs
from face_cascade.networks import ONET_SIZE, RNET_SIZE
from face_cascade.tiles import TILE_SHAPES, TILE_SIZE

_NETWORKS = (PNET, RNET, ONET)


@dataclass(frozen=True)
class Networks:
    """How to drive the cascade: who answers its calls, what maps over flows that may run together, its limits."""

    run: Callable[[Call], Outputs]
    map: Map
    limits: Limits


class NetworkError(Exception):
    """A network did not answer; `code` is Triton's."""

    def __init__(self, network: Network, message: str, code: Any) -> None:
        super().__init__(f"model {network.name}: {message}")
        self.code = code


def choose(setting: str, on_gpu: bool) -> str:
    """`auto` is `local` on a CPU that has torch, else `bls`.

    On a GPU separate models batch better. On a few cores, processes that take turns each wake cold.
    """
    if setting not in ("auto", "bls", "local"):
        raise ValueError(f"networks is {setting!r}, must be auto, bls or local")
    if setting != "auto":
        return setting
    return "local" if not on_gpu and importlib.util.find_spec("torch") else "bls"


def through_triton() -> Networks:
    """Networks as Triton's own models, in batches as large as they take."""
    return Networks(_ask_triton, map, Limits())


def _ask_triton(call: Call) -> Outputs:
    """Runs a call as a request to a model (business logic scripting)."""
    network = call.network
    response = pb_utils.InferenceRequest(
        model_name=network.name,
        inputs=[pb_utils.Tensor(network.input, call.batch)],
        requested_output_names=list(network.outputs),
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
    ).exec()
    if response.has_error():
        raise NetworkError(network, response.error().message(), response.error().code())
    return tuple(pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in network.outputs)


def in_this_process(repository: Path, workers: int) -> Networks:
    """The latest version of each network in the model repository, on the CPU of this process.

    Each of the workers takes a batch of its own through cropping, network and reading out, on one core: that
    keeps all cores busy where threads inside of the network's operations would wait for each other.
    """
    # Imported here: with networks in Triton's own models this process needs no torch.
    import torch

    from face_server.runtime.torchscript import TorchScriptNetwork

    limits = Limits(rnet=256, onet=64, pnet_pixels=4 * TILE_SIZE * TILE_SIZE, parallel=workers)
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(workers, "network", initializer=torch.set_num_threads, initargs=(1,))
    networks = {n: TorchScriptNetwork(_latest(repository / n.name) / "model.pt", "cpu") for n in _NETWORKS}
    for network, shape in _warm_up_shapes(limits):
        # The first passes compile: better now than for the first caller.
        for _ in range(3):
            networks[network](np.zeros(shape, np.float32))
    return Networks(lambda call: networks[call.network](call.batch), pool.map, limits)


def _warm_up_shapes(limits: Limits) -> list[tuple[Network, tuple[int, ...]]]:
    return [
        *((PNET, (limits.pnet_tiles(height, width), 3, height, width)) for height, width in TILE_SHAPES),
        (RNET, (limits.rnet, 3, RNET_SIZE, RNET_SIZE)),
        (ONET, (limits.onet, 3, ONET_SIZE, ONET_SIZE)),
    ]


def _latest(model: Path) -> Path:
    return max((p for p in model.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
