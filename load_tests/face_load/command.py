"""The command: each verb but perf-data starts an embedded server, loads it, and writes a report."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from face_bench import BenchError
from face_bench.output import make_folder
from face_client import FaceError
from face_command.arguments import number, whole
from face_command.parser import Help
from face_load.load import load
from face_load.options import add_bad_share, add_sizes, add_stages
from face_load.perf_data import perf_data
from face_load.saturation import saturate
from face_load.soak import soak
from face_runtime.settings import NETWORKS_CHOICES
from face_server import ServerError

_LOCUST = """\
Whatever is not listed here goes to locust and our locust file: --sizes, --formats, --photos, --deadline and so on.
`locust -f load_tests/locustfile.py --help` has them all.
"""

_LOAD_HELP = f"""\
A short load on an embedded server: throughput, latency, errors, the batches that Triton made.
{_LOCUST}
examples:
  make load                                      8 users for 30 s, each with one request after the other
  make load ARGS="--users 4 --rate 2"            4 users, each with 2 requests a second, answered or not
  make load ARGS="--stages 1-8@10,8@20,24@10"    a ramp, a hold and a spike
  make load ARGS="--photos holiday/ --formats jpeg"
  make load ARGS="--unbounded-queue --users 32"  let requests wait without a bound
"""

_SATURATE_HELP = f"""\
Looks for the highest rate of requests that the server sustains, then sends three times as many. Requests come at random
times (Poisson) whether or not the ones before are answered; latency counts from when a request was due.
{_LOCUST}
examples:
  make saturate
  make saturate ARGS="--p95 300 --seconds 30"
  make saturate ARGS="--sizes 640x360 --formats jpeg --start 10"
"""

_SOAK_HELP = f"""\
A mixed load for a long time, some requests wrong on purpose, and the server's memory, shared memory and open files
meanwhile. The verdict is on stdout and in the exit status.
{_LOCUST}
examples:
  make soak MINUTES=20
  make soak MINUTES=2 ARGS="--users 2 --interval 2"
"""

_PERF_DATA_HELP = """\
Writes pictures as perf_raw.json and perf_jpeg.json, the form in which NVIDIA's perf_analyzer takes them (--input-data).

examples:
  python -m face_load perf-data --sizes 960x540,640x360
  python -m face_load perf-data --photos holiday/
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message, or where a report says that something is wrong; 130 after Ctrl-C."""
    args = parse(arguments)
    run, _, _ = _VERBS[args.verb]
    try:
        make_folder(args.out)
        return 0 if run(args) else 1
    except (BenchError, ServerError, FaceError) as error:
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{args.verb}: stopped; no report was written", file=sys.stderr)
        return 130


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """`locust`: options for locust itself, all that this command does not know."""
    parser = _parser()
    args, rest = parser.parse_known_args(arguments)
    if rest and args.verb == _PERF_DATA:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.locust = tuple(rest)
    return args


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "face_load", description="Load tests on an embedded server.", allow_abbrev=False, formatter_class=Help
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="load | saturate | soak | perf-data")
    for name, (_, text, add_arguments) in _VERBS.items():
        verb = verbs.add_parser(
            name,
            description=text,
            formatter_class=Help,
            # What looks like the start of one of ours may be one of locust's.
            allow_abbrev=False,
        )
        add_arguments(verb.add_argument)
    return made


def _add_out(add: Callable[..., Any], default: str) -> None:
    add("--out", type=Path, default=Path(default), metavar="DIR", help="for the files (default: %(default)s)")


def _add_server(add: Callable[..., Any], out: str) -> None:
    """Of the verbs that start one."""
    _add_out(add, out)
    add(
        "--networks",
        choices=NETWORKS_CHOICES,
        default="auto",
        help="where the cascade runs its networks, as in `faces serve` (default: %(default)s)",
    )
    add(
        "--unbounded-queue",
        dest="bounded_queue",
        action="store_false",
        help="serve without --bounded-queue: nothing is refused, however long it waits",
    )


def _add_load(add: Callable[..., Any]) -> None:
    _add_server(add, "load")
    add("--users", type=whole(1, 10_000), default=8, metavar="N", help="default: %(default)s")
    add(
        "--rate",
        type=number(0, 10_000),
        default=0.0,
        metavar="R",
        help="requests a second of each user, whatever becomes of those before; 0: each waits for its answer (default)",
    )
    add("--seconds", type=number(2, 86_400), default=30.0, metavar="S", help="measured (default: %(default)g)")
    add("--warm-up", type=number(0, 600), default=3.0, metavar="S", help="before that (default: %(default)g)")
    add_stages(add, "--users and --seconds")


def _add_saturate(add: Callable[..., Any]) -> None:
    _add_server(add, "saturate")
    add(
        "--p95",
        type=number(1, 600_000),
        default=500.0,
        metavar="MS",
        help="the longest that 95 of 100 answers may take at a sustainable rate (default: %(default)g)",
    )
    add(
        "--errors",
        type=number(0, 100),
        default=1.0,
        metavar="PERCENT",
        help="of requests, refused ones included, that a sustainable rate may have (default: %(default)g)",
    )
    add("--start", type=number(0.1, 10_000), default=4.0, metavar="R", help="the first rate (default: %(default)g)")
    add("--seconds", type=number(3, 3600), default=20.0, metavar="S", help="for each rate (default: %(default)g)")
    add("--warm-up", type=number(0, 600), default=2.0, metavar="S", help="before each (default: %(default)g)")
    add("--users", type=whole(1, 1000), default=8, metavar="N", help="connections (default: %(default)s)")
    add(
        "--overload",
        type=number(1, 100),
        default=3.0,
        metavar="X",
        help="times the sustainable rate, at the end (default: %(default)g)",
    )


def _add_soak(add: Callable[..., Any]) -> None:
    _add_server(add, "soak")
    add("--minutes", type=number(0.1, 100_000), default=20.0, metavar="M", help="default: %(default)g")
    add("--users", type=whole(1, 1000), default=4, metavar="N", help="at work (default: %(default)s)")
    add("--interval", type=number(0.5, 600), default=5.0, metavar="S", help="between samples (default: %(default)g)")
    add_bad_share(add, default=0.02)


def _add_perf_data(add: Callable[..., Any]) -> None:
    _add_out(add, "load")
    add_sizes(add, "default: %(default)s")
    add("--photos", type=Path, metavar="DIR", help="these photos instead")


_PERF_DATA = "perf-data"

_VERBS: dict[str, tuple[Callable[[argparse.Namespace], bool], str, Callable[[Callable[..., Any]], None]]] = {
    "load": (load, _LOAD_HELP, _add_load),
    "saturate": (saturate, _SATURATE_HELP, _add_saturate),
    "soak": (soak, _SOAK_HELP, _add_soak),
    _PERF_DATA: (perf_data, _PERF_DATA_HELP, _add_perf_data),
}
"""Name → what runs it (whether all is well), its help, and what adds its arguments to a parser."""
