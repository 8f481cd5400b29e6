"""The command: each verb but one starts an embedded server, loads it, and writes a report."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from face_bench.errors import BenchError
from face_client import FaceError
from face_load.arguments import Arguments, parse
from face_load.errors import LoadError
from face_load.load_command import load
from face_load.parsers import PERF_DATA
from face_load.perf_data import perf_data
from face_load.saturate_command import saturate
from face_load.soak_command import soak
from face_server import ServerError

_VERBS: dict[str, Callable[[Arguments], bool]] = {
    "load": load,
    "saturate": saturate,
    "soak": soak,
    PERF_DATA: perf_data,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message, or where a report says that something is wrong; 130 after Ctrl-C."""
    args = parse(arguments)
    try:
        _make_folder(args.out)
        return 0 if _VERBS[args.verb](args) else 1
    except (LoadError, BenchError, ServerError, FaceError) as error:
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{args.verb}: stopped; no report was written", file=sys.stderr)
        return 130


def _make_folder(folder: Path) -> None:
    """Before the run: nobody should hear after twenty minutes that nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadError(f"--out {folder}: {error.strerror}") from error
