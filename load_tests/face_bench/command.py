"""The command: arguments, a run, then tables on the terminal and files."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from face_bench import BenchError
from face_bench.machine import CHECKOUT
from face_bench.many_clients import DEFAULT_CLIENTS
from face_bench.output import make_folder, say, show, to_json
from face_bench.pictures import CROWD_SIZES, MAX_PHOTOS, Picture, crowds, more_pictures, photos, walls
from face_bench.report import Report, in_markdown, tables
from face_bench.run import Plan, run
from face_client import FaceError
from face_command.arguments import whole
from face_command.parser import Parser
from face_runtime.settings import NETWORKS_CHOICES
from face_server import ServerError

_MAX_CLIENTS = 256

_DESCRIPTION = """\
Measures this machine: our server, the whole way from client to answer, against facenet-pytorch and ipazc's mtcnn in
processes of their own, interleaved in one run. Beside other detectors, with how far they agree. Then our server under 1
to 32 clients, facenet-pytorch in as many processes as there are cores, and our server's memory.
"""

_EPILOG = """\
examples:
  make bench                                     everything; the first time also the peers' environments (about 8 GB)
  make bench ARGS="--no-peers --rounds 5"        ours alone, quickly
  make bench ARGS="--photos holiday/"            your own photos, beside the wall
  make bench ARGS="--networks bls --memory-requests 0 --sweep-seconds 0"
                                                 latency only, networks as models of their own

0 rounds, seconds or requests leave that part out. Nothing else should run on the machine meanwhile. Without a GPU,
PIP_EXTRA_INDEX_URL with PyTorch's index of CPU builds saves most of the gigabytes. Output: tables on the terminal, and
report.json, report.md and report.png.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message; 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        make_folder(args.out)
        report = run(_plan(args))
        show(tables(report), before=report.machine.line)
        _write(report, args.out)
    except (BenchError, ServerError, FaceError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser("face_bench", description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("--no-peers", action="store_true", help="measure ours alone, and install nothing")
    add("--photos", type=Path, metavar="DIR", help=f"also these photos, at most {MAX_PHOTOS}")
    add("--no-wall", action="store_true", help="leave out the wall; needs --photos")
    add(
        "--crowds",
        type=whole(0, len(CROWD_SIZES)),
        default=1,
        metavar="N",
        help=f"so many crowds of {', '.join(f'{w}x{h}' for w, h in CROWD_SIZES)}, beside facenet-pytorch alone, which "
        "takes up to half a minute for one (default: %(default)s)",
    )
    add("--no-more", action="store_true", help="leave out the portrait, the page without faces and the wall in 4K")
    add("--no-others", action="store_true", help="leave out detectors that are not MTCNN")
    add(
        "--networks",
        choices=NETWORKS_CHOICES,
        default="auto",
        help="where the cascade runs its networks, as in `faces serve` (default: %(default)s)",
    )
    add("--rounds", type=whole(0, 1000), default=15, metavar="N", help="measured rounds (default: %(default)s)")
    add("--warm-up", type=whole(0, 100), default=3, metavar="N", help="rounds before them (default: %(default)s)")
    add(
        "--clients",
        type=_clients,
        default=DEFAULT_CLIENTS,
        metavar="N,N,…",
        help=f"numbers of concurrent clients (default: {','.join(map(str, DEFAULT_CLIENTS))})",
    )
    add(
        "--sweep-seconds",
        type=whole(0, 600),
        default=8,
        metavar="S",
        help="for each number of clients, and for each turn of ours and of the peer (default: %(default)s)",
    )
    add(
        "--memory-requests",
        type=whole(0, 100_000),
        default=2000,
        metavar="N",
        help="requests to watch the server's memory over (default: %(default)s)",
    )
    add("--out", type=Path, default=Path("bench"), metavar="DIR", help="for the files (default: %(default)s)")
    return parser


def _clients(text: str) -> tuple[int, ...]:
    read = whole(0, _MAX_CLIENTS)
    counts = tuple(read(part) for part in text.split(","))
    if 0 in counts or len(set(counts)) < len(counts):
        raise argparse.ArgumentTypeError(f"{text!r} must be different numbers from 1 to {_MAX_CLIENTS}")
    return counts


def _plan(args: argparse.Namespace) -> Plan:
    return Plan(
        repository=CHECKOUT / "model_repository",
        pictures=_pictures(args),
        crowds=crowds(args.crowds),
        more=[] if args.no_more else more_pictures(),
        cache=None if args.no_peers else CHECKOUT / ".venv-peers",
        others=not args.no_others,
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
    wall = [] if args.no_wall else walls()
    return wall + (photos(args.photos) if args.photos else [])


def _write(report: Report, folder: Path) -> None:
    (folder / "report.json").write_text(to_json(report))
    (folder / "report.md").write_text(in_markdown(report))
    written = ["report.json", "report.md"]
    try:
        from face_bench.plots import plot
    except ImportError:
        say("no plot: matplotlib is not installed")
    else:
        if plot(report, folder / "report.png"):
            written.append("report.png")
    say("written: " + ", ".join(str(folder / name) for name in written))
