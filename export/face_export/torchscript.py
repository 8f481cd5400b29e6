"""TorchScript archives that are the same file whenever the weights are, and answer like the network they came from."""

import contextlib
import io
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from face_export.errors import ExportError, ParityError
from face_export.inception_resnet_v1 import INPUT_SIZE

# TorchScript archives that are the same file whenever the weights are the same.
#
# `torch.jit.save` alone is not repeatable: it names types by what the process compiled before, orders constants
# by Python's hash seed, and stores where on this machine each source file lay. So a module is compiled in a
# process of its own, and the archive written again without those places.


_ARCHIVE = "model"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Source positions with absolute paths, and a checksum over them: the loader needs neither.
_MACHINE_DEPENDENT = (".debug_pkl", ".data/serialization_id")


def to_bytes(module: nn.Module) -> bytes:
    """Script `module` in eval mode and return the archive, the content of a `model.pt`.

    The archive holds the plain graph, neither frozen nor optimised: another torch release can load it, and
    optimise for the machine it is on. Takes as long as importing torch.
    """
    # -P: files in the current folder must not stand in for the modules that the child imports.
    command = [sys.executable, "-P", "-m", __name__]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    child = subprocess.run(command, input=pickle.dumps(module), env=environment, capture_output=True, check=False)
    if child.returncode:
        *_, reason = child.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise ExportError(f"{type(module).__name__} cannot be compiled to TorchScript: {reason}")
    return child.stdout


def from_bytes(archive: bytes) -> torch.jit.ScriptModule:
    """Load what `to_bytes` returned, on the CPU."""
    with _torchscript_on_purpose():
        return torch.jit.load(io.BytesIO(archive), map_location="cpu")


def _compile(module: nn.Module) -> bytes:
    buffer = io.BytesIO()
    with _torchscript_on_purpose():
        torch.jit.save(torch.jit.script(module.eval()), buffer)
    return _without_machine(buffer)


@contextlib.contextmanager
def _torchscript_on_purpose() -> Iterator[None]:
    """Silence its deprecation: what replaces it has no batching yet in Triton's libtorch backend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.* is deprecated", category=DeprecationWarning)
        yield


def _without_machine(archive: io.BytesIO) -> bytes:
    """The same archive under a fixed name and date, without the entries that tell of this machine."""
    rewritten = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(rewritten, "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            name = f"{_ARCHIVE}/{entry.filename.partition('/')[2]}"
            if not name.endswith(_MACHINE_DEPENDENT):
                target.writestr(zipfile.ZipInfo(name, _EPOCH), source.read(entry))
    return rewritten.getvalue()


if __name__ == "__main__":
    sys.stdout.buffer.write(_compile(pickle.load(sys.stdin.buffer)))


# Does an exported archive answer like the eager network it was made from?


TOLERANCE = 1e-5
"""Largest difference allowed, relative to the largest value of the output where that is above 1."""

# Batch and size of the inputs. PNet takes images of any size: one window, odd sizes, past the serving tile.
_SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "pnet": ((2, 3, 64, 96), (1, 3, 12, 12), (1, 3, 13, 15), (1, 3, 257, 257)),
    "rnet": ((5, 3, 24, 24), (1, 3, 24, 24)),
    "onet": ((5, 3, 48, 48), (1, 3, 48, 48)),
    "facenet": ((3, INPUT_SIZE, INPUT_SIZE, 3), (1, INPUT_SIZE, INPUT_SIZE, 3)),
}


def check(name: str, served: nn.Module, archive: bytes) -> float:
    """Largest absolute difference between `archive` and the eager module `served`, or raise `ParityError`."""
    scripted = from_bytes(archive)
    worst = 0.0
    with torch.inference_mode():
        for pixels in inputs(name):
            for index, (want, found) in enumerate(zip(served(pixels), scripted(pixels), strict=True)):
                worst = max(worst, _difference(want, found, f"{name}: output {index} for {tuple(pixels.shape)}"))
    return worst


def inputs(name: str) -> Iterator[Tensor]:
    """Random pixels in every shape, then all black and all white; the first shape again at the end.

    TorchScript profiles its first runs and optimises later ones: the last input meets the optimised graph.
    """
    shapes = _SHAPES[name]
    generator = torch.Generator().manual_seed(0)
    dtype = torch.uint8 if name == "facenet" else torch.float32
    for shape in shapes:
        yield (torch.rand(shape, generator=generator) * 255).to(dtype)
    yield torch.zeros(shapes[-1], dtype=dtype)
    yield torch.full(shapes[-1], 255, dtype=dtype)
    yield (torch.rand(shapes[0], generator=generator) * 255).to(dtype)


def _difference(want: Tensor, found: Tensor, where: str) -> float:
    if want.shape != found.shape or want.dtype != found.dtype:
        raise ParityError(f"{where} is {found.dtype} {tuple(found.shape)}, not {want.dtype} {tuple(want.shape)}")
    if not found.numel():
        return 0.0
    if not (want.isfinite().all() and found.isfinite().all()):
        raise ParityError(f"{where} is not finite")
    difference = float((want - found).abs().max())
    if difference > TOLERANCE * max(1.0, float(want.abs().max())):
        raise ParityError(f"{where} differs from the eager network by {difference:.2g}; nothing was written")
    return difference
