"""The cascade on the CPU of this process: networks from their files, and how they are driven. No Triton here."""

import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from face_cascade import ONET, PNET, RNET, Call, Limits, Network, WrongWeights
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Batch
from face_cascade.compiled.arrays import COMPILED_ARRAYS
from face_cascade.compiled.crops import CompiledCropNetwork
from face_cascade.compiled.pnet import CompiledPNet
from face_cascade.numpy_arrays import NUMPY
from face_cascade.tiles import TILE_SHAPES, TILE_SIZE
from face_repository.weights import read_weights
from face_runtime.crew import Crew
from face_runtime.engine import Engine, InThreads

LocalNetwork: TypeAlias = Callable[[Batch], Outputs]
"""From a batch to a network's outputs, as the served network gives them."""


def network_from_file(network: Network, file: Path, warn: Callable[[str], None]) -> LocalNetwork:
    """A network compiled for this processor, from the weights in its `model.pt`.

    Where the file holds none, or those of a network that is built otherwise, torch runs its TorchScript, on one thread
    a caller, and `warn` is told in one sentence.

    Raises:
        OSError, ValueError: the file cannot be read, is damaged, or needs torch and there is none.
    """
    try:
        weights = read_weights(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        wrong = f"is damaged: {error}" if zipfile.is_zipfile(file) else "is no TorchScript archive"
        raise ValueError(f"{file} {wrong}") from error
    reason = "holds no arrays"
    if weights:
        try:
            return COMPILED[network](weights)
        except WrongWeights as error:
            reason = f"holds others than the compiled network's ({error})"
    warn(f"the file of {network.name} {reason}, so it runs in torch, which is slower; `faces export` writes what fits")
    try:
        return network_in_torch(file)
    except ModuleNotFoundError as error:
        raise ValueError(f"the file of {network.name} {reason}, and torch, which could run it, is not here") from error


def network_in_torch(file: Path) -> LocalNetwork:
    """A network as its TorchScript has it, in the precision that it was exported with; on one thread a caller.

    Raises ModuleNotFoundError without torch; ValueError where the file is damaged.
    """
    # Imported here: with compiled networks this process needs no torch.
    import torch

    from face_runtime.torchscript import TorchScriptNetwork

    torch.set_num_threads(1)
    return TorchScriptNetwork(file, "cpu")


def on_this_processor(networks: Mapping[Network, LocalNetwork], workers: int) -> Engine:
    """PNet, RNet and ONet in this process.

    Each of the workers takes a batch of its own through cropping, network and reading out, on one core: that
    keeps all cores busy where threads inside of the network's operations would wait for each other.
    """
    # The compiled PNet takes a piece of any shape as it is, and draws it itself; torch would look at each shape anew.
    pnet = networks[PNET]
    compiled = isinstance(pnet, CompiledPNet)
    limits = Limits(rnet=256, onet=64, pnet_pixels=4 * TILE_SIZE * TILE_SIZE, parallel=workers, packed=not compiled)
    # What torch does with its first passes is better done now than for the first caller. Compiled networks made theirs
    # when their weights were loaded.
    for network, shape in _warm_up_shapes(limits):
        run_batch = networks[network]
        if not isinstance(run_batch, (CompiledPNet, CompiledCropNetwork)):
            for _ in range(3):
                run_batch(np.zeros(shape, np.float32))
    crew = Crew(workers, "network")

    def run(call: Call) -> Outputs:
        if call.network is PNET and isinstance(pnet, CompiledPNet):
            return pnet.likely(call.batch, call.least or 0.0)
        return networks[call.network](call.batch)

    arrays = COMPILED_ARRAYS if compiled else NUMPY
    return Engine(run, crew.map, limits, InThreads(crew.map), arrays)


def _warm_up_shapes(limits: Limits) -> list[tuple[Network, tuple[int, ...]]]:
    return [
        *((PNET, (limits.pnet_tiles(height, width), 3, height, width)) for height, width in TILE_SHAPES),
        (RNET, (limits.rnet, 3, RNET.side, RNET.side)),
        (ONET, (limits.onet, 3, ONET.side, ONET.side)),
    ]
