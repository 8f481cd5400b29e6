"""Who answers the cascade's calls, and who holds its pixels: an engine, chosen for an instance."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from face_cascade import Call, Limits
from face_cascade.calls import Outputs
from face_cascade.networks import STAGES, Network
from face_repository.layout import EXPORTED
from face_runtime.bls import ask
from face_runtime.crew import Crew
from face_runtime.engine import Engine, InThreads
from face_runtime.settings import CROPS_CHOICES, DECODE_CHOICES, ENGINE_CHOICES, NETWORKS_CHOICES, choice

Versions: TypeAlias = Mapping[str, int]
"""By the network's name."""


@dataclass(frozen=True)
class Choice:
    """What an instance is to work with, as its model's parameters or the environment say it.

    networks: `bls`, as models of their own; `local`, the same files in this process; `auto`: see `runs_locally`.
    engine: `numpy`, on the processor; `torch`, on the instance's device; `auto`: torch on a GPU. decode: who decodes
    JPEG with torch, `cpu`, `gpu`, or `auto`: the GPU where there is one and it can.
    facenet_crops: where crops that torch has cut go on from, the `host` or the `device`. device: "cpu" or "cuda:N".
    """

    networks: str
    engine: str
    decode: str
    facenet_crops: str
    device: str

    def __post_init__(self) -> None:
        choice("networks", self.networks, NETWORKS_CHOICES)
        choice("engine", self.engine, ENGINE_CHOICES)
        choice("decode", self.decode, DECODE_CHOICES)
        choice("facenet_crops", self.facenet_crops, CROPS_CHOICES)

    @property
    def on_gpu(self) -> bool:
        return self.device != "cpu"

    @property
    def uses_torch(self) -> bool:
        return self.engine == "torch" or (self.engine == "auto" and self.on_gpu and _has_torch())

    @property
    def runs_locally(self) -> bool:
        """Whether networks run in this process. `auto`: where the processor or torch can run them here; on a CPU
        processes that take turns each wake cold, on a GPU each would wait for the other."""
        return self.networks == "local" or (self.networks == "auto" and (self.uses_torch or not self.on_gpu))


def engine(chosen: Choice, repository: Path, versions: Versions, workers: int, warn: Callable[[str], None]) -> Engine:
    """The engine of an instance. workers: threads of the processor. warn: is told of what makes it slow.

    Raises:
        OSError, ValueError: a network's file cannot be read, is damaged, or this machine lacks what
            was chosen.
    """
    files = {network: repository / network.name / str(versions[network.name]) / EXPORTED for network in STAGES}
    if chosen.uses_torch:
        # Imported here: a process without it needs no torch.
        from face_runtime.device.engine import on_device

        local = files if chosen.runs_locally else None
        return on_device(chosen.device, local, versions, chosen.decode, chosen.facenet_crops == "device", workers, warn)
    if chosen.on_gpu and chosen.engine == "auto":
        warn("there is no torch with triton here, so images are prepared by the processor and not by the GPU")
    if chosen.runs_locally:
        return in_this_process(files, workers, warn)
    return through_triton(versions, workers)


def _has_torch() -> bool:
    """With what it needs for kernels of its own."""
    return all(importlib.util.find_spec(name) for name in ("torch", "triton"))


def through_triton(versions: Versions, workers: int) -> Engine:
    """Networks as Triton's own models, in batches as large as they take. They are asked by one thread (see `ask`);
    pictures are decoded by so many."""

    def run(call: Call) -> Outputs:
        return ask(call.network, call.batch, call.network.outputs, versions[call.network.name])

    return Engine(run, map, Limits(), InThreads(Crew(workers, "decoder").map))


def in_this_process(files: Mapping[Network, Path], workers: int, warn: Callable[[str], None]) -> Engine:
    """The same networks from their files in the model repository, on the CPU of this process."""
    # Imported here: machine code is loaded, or generated, with the first import.
    from face_cascade import code_cache
    from face_runtime.processor import network_from_file, on_this_processor

    # With each its machine code is loaded, or made. Where none is kept yet, processes that start together begin with
    # different networks, and each finds what another has made.
    first = os.getpid() % len(files)
    order = [*files][first:] + [*files][:first]
    engine = on_this_processor(
        {network: network_from_file(network, files[network], warn) for network in order}, workers
    )
    if trouble := code_cache.shared().trouble:
        warn(f"the networks are compiled at each start, since machine code is not kept: {trouble}")
    return engine
