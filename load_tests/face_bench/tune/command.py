"""The command: arguments, the search, then a table on the terminal and files."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from face_bench import BenchError
from face_bench.gpu.scenes import scenes
from face_bench.machine import CHECKOUT
from face_bench.output import make_folder, save_report, show, teller, write_line
from face_bench.pictures import PORTRAIT, photo, photos
from face_bench.tune.search import Space
from face_bench.tune.tuner import Plan, Report, configured, tables, tune
from face_client import FaceError
from face_command.arguments import existing_folder, number, whole
from face_command.parser import Parser
from face_repository.layout import RepositoryError
from face_server import ServerError
from face_server.gpu import gpu_count

_DEVICES = ("cuda", "cpu")
_INSTANCES = {"cuda": (2, 4, 6, 8, 10), "cpu": (1, 2, 3, 4)}
_DELAYS_US = (0, 500, 1000, 2000, 5000)

_DESCRIPTION = """\
Finds how `mtcnn` serves the most images a second on this machine: its number of instances, the images it takes at
once, and how long a smaller batch waits for more. Each of --clients asks again as soon as it is answered.
"""

_EPILOG = """\
What is configured is measured first. Then one value after the other, from the first that is listed here, for as long
as the next one is better by 3 %: instances upwards, batches downwards, delays upwards. Each setting is a server of
its own, warmed up for --seconds and measured for --seconds: on a GPU about half a minute, mostly ten settings.

examples (make tune ARGS="..."):
  --clients 128                   as many callers as you expect at once: more fill larger batches and wait longer
  --photos photos/ --p95 120      with your own files; the most images a second with 95 % answered within 120 ms
  --device cpu --clients 4 --seconds 5 --instances 1,2 --batches 16,4 --delays 0
                                  a short run without a GPU

The result is written to model_repository/mtcnn/tuned.json, of which `faces export` and `faces serve` derive the
configuration `tuned`:

  faces serve --configuration tuned

Tune again after a change of machine, card or version. Without that file nothing is tuned: remove it to undo.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message; 130 after Ctrl-C, with what was measured so far in the files."""
    args = _parser().parse_args(arguments)
    try:
        make_folder(args.out)
        with (args.out / "server.log").open("w") as log:

            def save(report: Report) -> None:
                save_report(args.out, report, report.head(), tables(report))

            report = tune(_plan(args), teller(), lambda line: write_line(log.write, line), save)
        show(tables(report), before=report.head(), after=(_conclusion(report),))
    except (BenchError, ServerError, FaceError, RepositoryError) as error:
        print(f"tune: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser("face_bench.tune", description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("--device", choices=_DEVICES, help="(default: cuda where there is a GPU, else cpu)")
    add("--clients", type=whole(1, 1024), default=64, metavar="N", help="who ask at once (default: %(default)s)")
    add("--photos", type=existing_folder, metavar="DIR", help="ask with these (default: eight scenes of 1920x1080)")
    add("--p95", type=number(above=0), metavar="MS", help="95 of 100 answers must come within so long (default: any)")
    add("--seconds", type=number(1, 600), default=6, metavar="S", help="of a setting (default: %(default)s)")
    add("--instances", type=_numbers(1, 64), metavar="N,N,…", help="(default: 2,4,6,8,10 on a GPU, else 1,2,3,4)")
    add("--batches", type=_numbers(1, 4096), metavar="N,N,…", help="(default: max_batch_size and its halves)")
    add("--delays", type=_numbers(0, 1_000_000), default=_DELAYS_US, metavar="µS,…", help=_listed(_DELAYS_US))
    add(
        "--repository",
        type=existing_folder,
        default=CHECKOUT / "model_repository",
        metavar="DIR",
        help="(default: ours)",
    )
    add("--out", type=Path, default=Path("tune"), metavar="DIR", help="for the files (default: %(default)s)")
    return parser


def _listed(values: Sequence[int]) -> str:
    return f"(default: {','.join(map(str, values))})"


def _numbers(least: int, most: int) -> Callable[[str], tuple[int, ...]]:
    """An argument type: whole numbers, ascending."""

    def numbers(text: str) -> tuple[int, ...]:
        return tuple(sorted({whole(least, most)(part) for part in text.split(",")}))

    return numbers


def _plan(args: argparse.Namespace) -> Plan:
    # CUDA counts its devices once for a process: it is not asked where the answer is given.
    device = args.device or ("cuda" if gpu_count() else "cpu")
    pictures = photos(args.photos) if args.photos else scenes([photo(PORTRAIT)])
    largest = configured(args.repository, device).batch
    batches = args.batches or [largest >> n for n in range(largest.bit_length())]
    if max(batches) > largest:
        raise BenchError(f"--batches: {max(batches)} is more than the max_batch_size of mtcnn, {largest}")
    return Plan(
        repository=args.repository,
        pictures=pictures,
        pictures_name=f"photos: {len(pictures)}" if args.photos else f"{len(pictures)} JPEG files of 1920x1080",
        device=device,
        clients=args.clients,
        seconds=args.seconds,
        p95=args.p95,
        space=Space(args.instances or _INSTANCES[device], sorted(batches, reverse=True), args.delays),
    )


def _conclusion(report: Report) -> str:
    lines = "\n".join(report.measured)
    return f"{lines}\nServe with it: faces serve --configuration tuned"
