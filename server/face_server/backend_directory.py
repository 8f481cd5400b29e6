"""Triton's backend directory for the embedded server: parts of the wheel, and our `pytorch` backend."""

import shutil
from pathlib import Path

from face_server.wheel import TritonWheel

_PYTORCH = Path(__file__).parent / "backends" / "pytorch"


def make_backend_directory(target: Path, wheel: TritonWheel) -> Path:
    """Fills `target` with `python/` (library, utilities and the stub of this CPython) and `pytorch/`.

    The wheel has no libtorch backend. A Python-based one of the same name fills the hole, so that the models say
    `backend: "pytorch"` here and in NVIDIA's container alike.
    """
    python = target / "python"
    python.mkdir(parents=True)
    # Copies: Triton refuses a backend library that is a link out of its directory.
    for source in (
        wheel.python_backend / "libtriton_python.so",
        wheel.python_backend / "triton_python_backend_utils.py",
        wheel.stub,
    ):
        shutil.copy2(source, python)
    shutil.copytree(_PYTORCH, target / "pytorch", ignore=shutil.ignore_patterns("__pycache__"))
    return target
