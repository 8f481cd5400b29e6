"""Whether a Python can serve: what Triton's Python backend needs of it.

The standard library alone, and any Python 3: `deploy/environment.sh` runs this file with interpreters that it finds.
"""

import ctypes
import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

SUPPORTED = ((3, 11), (3, 12))
"""NumPy 1.26, which Triton 2.51 needs, has no wheels for others."""


def version() -> str:
    """Major and minor, as in the names of Triton's stubs."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def library() -> str:
    """The shared library that the stub links."""
    return f"libpython{version()}.so.1.0"


def library_directories() -> "list[Path] | None":
    """Directories to search first for `library()`; empty where the system finds it, None where it is nowhere."""
    # LIBDIR is where it was built for; an interpreter that was moved has it beside its other files.
    for folder in (sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix) / "lib"):
        if folder and (Path(folder) / library()).exists():
            return [Path(folder)]
    try:
        ctypes.CDLL(library(), mode=os.RTLD_LAZY | os.RTLD_LOCAL)
    except OSError:
        return None
    return []


def wrong_version() -> str:
    """Why no server runs on this version, as one clause; empty where it does."""
    if sys.implementation.name == "cpython" and sys.version_info[:2] in SUPPORTED:
        return ""
    known = " or ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
    return f"is {sys.implementation.name} {version()}, and the server runs on CPython {known}"


def missing_library() -> str:
    """What to do about a missing shared library, as one clause; empty where it is there."""
    if library_directories() is not None:
        return ""
    return (
        f"lacks {library()}: install the package libpython{version()} (Debian, Ubuntu), or use a Python built with "
        "--enable-shared or conda's"
    )


def missing_venv() -> str:
    """The same of what environments are made with, which Debian has in a package of its own."""
    if all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        return ""
    return f"cannot make environments: install the package python{version()}-venv (Debian, Ubuntu)"


def main() -> int:
    """Prints what this Python lacks; 0 if nothing."""
    wrong = wrong_version() or missing_library() or missing_venv()
    if wrong:
        print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
