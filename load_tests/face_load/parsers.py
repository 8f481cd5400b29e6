"""The arguments of the command, their limits, and what its help says."""

import argparse
from pathlib import Path

from face_load import stages
from face_load.argument_types import checked, number, whole
from face_load.options import DEFAULT_SIZES, parse_sizes

PERF_DATA = "perf-data"
"""The verb that starts no server."""

_LOCUST = """\
Whatever is not listed here goes to locust and our locust file: --sizes, --formats, --photos, --deadline and so on.
`locust -f load_tests/locustfile.py --help` has them all.
"""

_LOAD = f"""\
A short load on an embedded server: throughput, latency, errors, the batches that Triton made.
{_LOCUST}
examples:
  make load                                      8 users for 30 s, each with one request after the other
  make load ARGS="--users 4 --rate 2"            4 users, each with 2 requests a second, answered or not
  make load ARGS="--stages 1-8@10,8@20,24@10"    a ramp, a hold and a spike
  make load ARGS="--photos holiday/ --formats jpeg"
  make load ARGS="--unbounded-queue --users 32"  let requests wait without a bound
"""

_SATURATE = f"""\
Looks for the highest rate of requests that the server sustains, then sends three times as many. Requests come at random
times (Poisson) whether or not the ones before are answered; latency counts from when a request was due.
{_LOCUST}
examples:
  make saturate
  make saturate ARGS="--p95 300 --seconds 30"
  make saturate ARGS="--sizes 640x360 --formats jpeg --start 10"
"""

_SOAK = f"""\
A mixed load for a long time, some requests wrong on purpose, and the server's memory, shared memory and open files
meanwhile. The verdict is on stdout and in the exit status.
{_LOCUST}
examples:
  make soak MINUTES=20
  make soak MINUTES=2 ARGS="--users 2 --interval 2"
"""


_PERF_DATA = """\
Writes pictures as perf_raw.json and perf_jpeg.json, the form in which NVIDIA's perf_analyzer takes them (--input-data).

examples:
  python -m face_load perf-data --sizes 960x540,640x360
  python -m face_load perf-data --photos holiday/
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("face_load", description="Load tests on an embedded server.", allow_abbrev=False)
    verbs = made.add_subparsers(dest="verb", required=True, metavar="load | saturate | soak | perf-data")
    _add_load(_server_verb(verbs, "load", _LOAD))
    _add_saturate(_server_verb(verbs, "saturate", _SATURATE))
    _add_soak(_server_verb(verbs, "soak", _SOAK))
    _add_perf_data(_verb(verbs, PERF_DATA, "load", _PERF_DATA))
    return made


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, out: str, text: str
) -> argparse.ArgumentParser:
    made = verbs.add_parser(
        name,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # What looks like the start of one of ours may be one of locust's.
        allow_abbrev=False,
    )
    made.add_argument("--out", type=Path, default=Path(out), metavar="DIR", help="for the files (default: %(default)s)")
    return made


def _server_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    """A verb that starts a server."""
    made = _verb(verbs, name, name, text)
    made.add_argument(
        "--networks",
        choices=("auto", "local", "bls"),
        default="auto",
        help="where the cascade runs its networks, as in `faces serve` (default: %(default)s)",
    )
    made.add_argument(
        "--unbounded-queue",
        dest="bounded_queue",
        action="store_false",
        help="serve without --bounded-queue: nothing is refused, however long it waits",
    )
    return made


def _add_load(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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
    add(
        "--stages",
        type=checked(stages.parse),
        default="",
        metavar="STAGES",
        help="users over time, instead of --users and --seconds: USERS@SECONDS holds, FROM-TO@SECONDS ramps",
    )


def _add_saturate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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


def _add_soak(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--minutes", type=number(0.1, 100_000), default=20.0, metavar="M", help="default: %(default)g")
    add("--users", type=whole(1, 1000), default=4, metavar="N", help="at work (default: %(default)s)")
    add("--interval", type=number(0.5, 600), default=5.0, metavar="S", help="between samples (default: %(default)g)")
    add(
        "--bad-share",
        type=number(0, 1),
        default=0.02,
        metavar="P",
        help="of requests that must be refused (default: %(default)g)",
    )


def _add_perf_data(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--sizes", type=checked(parse_sizes), default=DEFAULT_SIZES, metavar="WxH,…", help="default: %(default)s")
    add("--photos", type=Path, metavar="DIR", help="these photos instead")
