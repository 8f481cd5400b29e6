"""TorchScript archives that are the same file whenever the weights are the same.

`torch.jit.save` alone is not repeatable: it names types by what the process compiled before, orders constants by
Python's hash seed, and stores where on this machine each source file lay. So a module is compiled in a process of its
own, and the archive written again without those places.
"""

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
from torch import nn

from face_export.errors import ExportError

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
