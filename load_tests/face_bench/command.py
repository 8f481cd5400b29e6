"""The command: a run, then tables on the terminal and files."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from face_bench import progress
from face_bench.arguments import parser
from face_bench.errors import BenchError
from face_bench.pictures import Picture, photos, walls
from face_bench.render import console, print_tables, write_markdown
from face_bench.report import Report, write_json
from face_bench.run import Plan, run
from face_client import FaceError
from face_server import ServerError

_CHECKOUT = Path(__file__).parents[2]
_PORTRAIT = _CHECKOUT / "tests" / "data" / "astronaut.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 with a message."""
    args = parser().parse_args(arguments)
    try:
        _make_folder(args.out)
        report = run(_plan(args))
        print_tables(report, console())
        _write(report, args.out)
    except (BenchError, ServerError, FaceError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def _plan(args: argparse.Namespace) -> Plan:
    return Plan(
        checkout=_CHECKOUT,
        repository=_CHECKOUT / "model_repository",
        pictures=_pictures(args),
        cache=None if args.no_peers else _CHECKOUT / ".venv-peers",
        networks=args.networks,
        warm_up=args.warm_up,
        rounds=args.rounds,
        clients=args.clients,
        sweep_seconds=args.sweep_seconds,
        memory_requests=args.memory_requests,
    )


def _pictures(args: argparse.Namespace) -> list[Picture]:
    if args.no_wall and args.photos is None:
        raise BenchError("--no-wall without --photos leaves no picture to measure")
    wall = [] if args.no_wall else walls(_PORTRAIT)
    return wall + (photos(args.photos) if args.photos else [])


def _make_folder(folder: Path) -> None:
    """Before the run: nobody should hear after ten minutes that nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"--out {folder}: {error.strerror}") from error


def _write(report: Report, folder: Path) -> None:
    write_json(report, folder / "report.json")
    write_markdown(report, folder / "report.md")
    written = ["report.json", "report.md"]
    try:
        from face_bench.plot import plot
    except ImportError:
        progress.say("no plot: matplotlib is not installed")
    else:
        if plot(report, folder / "report.png"):
            written.append("report.png")
    progress.say("written: " + ", ".join(str(folder / name) for name in written))
