"""An engine whose images, tiles, maps and crops stay on one device of torch's."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

from face_cascade import ONET, PNET, RNET, Call, Limits, Network, WrongWeights
from face_cascade.arrays import Patch
from face_cascade.tiles import TILE_SHAPES, TILE_SIZE, Level, Piece
from face_repository.weights import FP16, precision_of, read_weights
from face_runtime.bls import ask_with_tensors
from face_runtime.crew import Crew
from face_runtime.device.arrays import TorchArrays
from face_runtime.device.decoding import DeviceDecoder
from face_runtime.device.faces import DeviceCrops
from face_runtime.device.graphs import Graphs
from face_runtime.engine import Engine
from face_runtime.torchscript import TorchScriptNetwork, is_out_of_memory

# CU_CTX_SCHED_BLOCKING_SYNC
_BLOCKING_SYNC = 4

# An exit status of a process of a model.
_GPU_FAILED = 70

# 0.9 GB of tiles, maps and cells, which are there once for each instance; 0.4 GB for RNet, 0.5 GB for ONet.
_LIMITS = Limits(pnet=256, rnet=2048, onet=512, pnet_pixels=256 * TILE_SIZE * TILE_SIZE)


def on_device(
    device: str,
    files: Mapping[Network, Path] | None,
    versions: Mapping[str, int],
    decode: str,
    crops_stay: bool,
    workers: int,
    warn: Callable[[str], None],
) -> Engine:
    """PNet, RNet and ONet from their files in this process, or as Triton's models where `files` is None.

    crops_stay: on the device, those of faces for FaceNet and for callers.

    Raises:
        ValueError: this process sees no such device, or it is too old for this torch; or `decode` is `gpu`, and
            nvImageCodec or what it needs is not there.
    """
    place = _opened(device)
    arrays = TorchArrays(place)
    decoder = DeviceDecoder(place, decode, Crew(workers, "decoder").map, warn)
    crops = DeviceCrops(place, crops_stay)
    if files is None:

        def ask(call: Call) -> Any:
            return ask_with_tensors(call.network, call.batch, call.network.outputs, versions[call.network.name])

        return Engine(ask, map, Limits(), decoder, arrays, crops, _guard)
    local = {network: _network(network, file, place, warn) for network, file in files.items()}

    def run(call: Call) -> Any:
        return local[call.network](call.batch)

    _warm_up(run, arrays)
    return Engine(run, map, _LIMITS, decoder, arrays, crops, _guard)


@contextlib.contextmanager
def _guard() -> Iterator[None]:
    """See `Engine.guard`. Where the GPU itself fails, this process ends: no call of CUDA works in it any more, and
    `faces serve` sees that it is gone and starts another."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise MemoryError("the GPU's memory is full") from error
        # torch's error, or that of a kernel in `triton`.
        if isinstance(error, torch.AcceleratorError) or "[CUDA]" in str(error):
            pb_utils.Logger.log_error(f"the GPU failed, so this instance ends: {str(error).splitlines()[0]}")
            os._exit(_GPU_FAILED)
        raise


def _opened(device: str) -> torch.device:
    """The device, once something was computed on it: what it lacks is said now and not to the first caller."""
    place = torch.device(device)
    if place.type == "cuda":
        _sleep_while_waiting(place.index)
    try:
        torch.zeros(1, device=place).add(1).cpu()
    except (RuntimeError, AssertionError) as error:
        # A torch that was built without CUDA asserts that it was not.
        reason = str(error).splitlines()[0]
        raise ValueError(f"torch {torch.__version__} cannot compute on {device} of this machine: {reason}") from error
    if place.type == "cuda":
        torch.cuda.set_device(place)
    return place


def _sleep_while_waiting(device: int) -> None:
    """Has CUDA wait by sleeping: by default each process that waits for the GPU keeps a core busy meanwhile."""
    with contextlib.suppress(OSError):
        driver = ctypes.CDLL("libcuda.so.1")
        driver.cuInit(0)
        driver.cuDevicePrimaryCtxSetFlags_v2(device, _BLOCKING_SYNC)


def _network(network: Network, file: Path, device: torch.device, warn: Callable[[str], None]) -> Callable[[Any], Any]:
    """From a batch on the device to the outputs there."""
    if network == PNET and device.type == "cuda":
        from face_runtime.device.pnet import KernelPNet

        weights = read_weights(file)
        try:
            return KernelPNet(weights, device, half=precision_of(weights) == FP16)
        except WrongWeights as error:
            warn(f"the file of pnet holds another network than PNet ({error}), so it runs in torch, which is slower")
    # Without its optimiser, which compiles anew for each new size of a batch.
    plain = TorchScriptNetwork(file, str(device), optimize=False)
    if device.type == "cpu" or network == PNET:
        return plain.run
    return Graphs(plain.run, network.side, {RNET: _LIMITS.rnet, ONET: _LIMITS.onet}[network], device)


def _warm_up(run: Callable[[Call], Any], arrays: TorchArrays) -> None:
    """The first passes compile, networks and kernels, for each shape of tiles and crops: better now, before Triton
    says that the instance is ready, than for the first caller."""
    image = arrays.image(np.zeros((TILE_SIZE, TILE_SIZE, 3), np.uint8))
    windows = np.array([(0, 0, TILE_SIZE, TILE_SIZE)] * 2, np.int32)
    for _ in range(3):
        for height, width in TILE_SHAPES:
            whole = Patch(image, Level(1, height, width), Piece(0, 0, 0, height, width, 0, 0, 0), 0)
            outputs = run(Call(PNET, arrays.tiles([whole], 2, height, width)))
            arrays.gather([arrays.cells(outputs, [whole], [1.0])])
        for network in (RNET, ONET):
            arrays.rows(run(Call(network, arrays.crops([(image, windows)], network.side))))
