"""Triton as the `nvidia-pytriton` wheel holds it: where its parts lie, what they need of this machine, the backend
directory made of them."""

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from face_client.extras import how_to_install
from face_server import interpreter
from face_server.errors import SetupError

# Ours, in the place of the libtorch backend that the wheel lacks.
_PYTORCH = Path(__file__).parent / "backends" / "pytorch"


@dataclass(frozen=True)
class TritonWheel:
    """Paths inside the wheel. It is located, never imported: importing it would start its own machinery."""

    root: Path

    @classmethod
    def find(cls) -> "TritonWheel":
        spec = importlib.util.find_spec("pytriton")
        if spec is None or not spec.submodule_search_locations:
            hint = how_to_install("triton-faces", "embedded")
            raise SetupError(f"the package nvidia-pytriton is not installed: {hint}")
        return cls(Path(spec.submodule_search_locations[0]) / "tritonserver")

    @property
    def executable(self) -> Path:
        return self.root / "bin" / "tritonserver"

    @property
    def libraries(self) -> Path:
        return self.root.parent.parent / "nvidia_pytriton.libs"

    @property
    def caches(self) -> Path:
        return self.root / "caches"

    @property
    def python_backend(self) -> Path:
        return self.root / "backends" / "python"

    @property
    def stub(self) -> Path:
        """The Python backend's stub for the running CPython."""
        version = interpreter.version()
        stub = self.root / "python_backend_stubs" / version / "triton_python_backend_stub"
        if not stub.exists():
            found = sorted(p.name for p in (self.root / "python_backend_stubs").iterdir())
            raise SetupError(f"Triton has no stub for Python {version}, it has {', '.join(found)}")
        return stub


def libpython_directories() -> list[Path]:
    """Directories to search first for the libpython that the stub links; empty where the system's own serves.

    Raises:
        SetupError: this CPython's shared library is nowhere to be found.
    """
    directories = interpreter.library_directories()
    if directories is None:
        raise SetupError(f"this Python, {sys.executable}, {interpreter.missing_library()}")
    return directories


def make_backend_directory(target: Path, wheel: TritonWheel) -> Path:
    """Fills `target` with `python/` (library, utilities and the stub of this CPython) and `pytorch/`; returns it.

    The latter is Python-based, and has the name of NVIDIA's so that the models say `backend: "pytorch"` here and in
    NVIDIA's container alike.
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
