"""The command: arguments, a run, then tables on the terminal and files."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from face_bench import BenchError
from face_bench.gpu.check import Check, Plan
from face_bench.gpu.report import Report, tables
from face_bench.machine import CHECKOUT
from face_bench.output import make_folder, save_report, show, teller, write_line
from face_bench.pictures import PORTRAIT, Picture, photo, photos
from face_client import FaceError
from face_command.arguments import number, whole
from face_command.parser import Parser
from face_runtime.settings import DECODE_CHOICES, ENGINE_CHOICES, NETWORKS_CHOICES
from face_server import ServerError

_DEVICES = ("cuda", "cpu")
_MAX_CLIENTS = 256

_DESCRIPTION = """\
Checks a machine with a GPU: the same faces as facenet-pytorch on the same device, images a second of 1920x1080 JPEG
files, with FaceNet (random weights: speed only), then a soak at the best setting. Each setting is a server of its own.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message; 130 after Ctrl-C, with what was measured so far in the files."""
    args = _parser().parse_args(arguments)
    try:
        make_folder(args.out)
        with (args.out / "check.log").open("w") as told, (args.out / "server.log").open("w") as log:

            def save(report: Report) -> None:
                save_report(args.out, report, report.head(), tables(report))

            check = Check(_plan(args), teller(told.write), lambda line: write_line(log.write, line), save)
            report = check.run()
        show(tables(report), before=report.head())
    except (BenchError, ServerError, FaceError) as error:
        print(f"check: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser("face_bench.gpu", description=_DESCRIPTION)
    add = parser.add_argument
    add("--device", choices=_DEVICES, default="cuda", help="(default: %(default)s)")
    add("--photos", type=Path, metavar="DIR", help="compare and measure with these photos (default: the portrait)")
    add("--seconds", type=number(2, 600), default=6, metavar="S", help="of a step (default: %(default)s)")
    add("--clients", type=_numbers(_MAX_CLIENTS), default=(1, 8, 32), metavar="N,N,…", help="(default: 1,8,32)")
    add(
        "--networks",
        type=_choices(NETWORKS_CHOICES),
        default=("local", "bls"),
        metavar="…",
        help="(default: local,bls)",
    )
    add(
        "--decode",
        type=_choices(DECODE_CHOICES),
        default=None,
        metavar="…",
        help="(default: auto,cpu with a GPU, else cpu)",
    )
    add("--engine", choices=ENGINE_CHOICES, default="torch", help="numpy: as without a GPU (default: %(default)s)")
    add("--instances", type=_numbers(64), default=(None,), metavar="N,N,…", help="of mtcnn (default: as configured)")
    add("--soak", type=number(0, 86400), default=60, metavar="S", help="0: none (default: %(default)s)")
    add("--limit", type=number(0.1, 1440), default=60, metavar="MINUTES", help="of all (default: %(default)s)")
    add("--no-reference", action="store_true", help="without facenet-pytorch: no comparison")
    add("--no-recognition", action="store_true", help="without FaceNet")
    add("--out", type=Path, default=Path("gpu"), metavar="DIR", help="for the files (default: %(default)s)")
    return parser


def _numbers(most: int) -> Callable[[str], tuple[int, ...]]:
    def numbers(text: str) -> tuple[int, ...]:
        return tuple(sorted({whole(1, most)(part) for part in text.split(",")}))

    return numbers


def _choices(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def choices(text: str) -> tuple[str, ...]:
        parts = tuple(dict.fromkeys(text.split(",")))
        if not set(parts) <= set(allowed):
            raise argparse.ArgumentTypeError(f"{text!r} must be some of {', '.join(allowed)}")
        return parts

    return choices


def _plan(args: argparse.Namespace) -> Plan:
    pictures: list[Picture] = photos(args.photos) if args.photos else [photo(PORTRAIT)]
    return Plan(
        repository=CHECKOUT / "model_repository",
        photos=pictures,
        device=args.device,
        seconds=args.seconds,
        clients=args.clients,
        networks=args.networks,
        decode=args.decode or (("auto", "cpu") if args.device == "cuda" else ("cpu",)),
        instances=args.instances,
        engine=args.engine,
        soak=args.soak,
        limit=60 * args.limit,
        reference=not args.no_reference,
        recognition=not args.no_recognition,
    )
