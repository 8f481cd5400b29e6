"""`faces batch`: pictures in, Parquet out; and what can be asked of a target."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from face_command.arguments import whole
from face_command.outputs import add_force
from face_repository.layout import default_repository
from face_tools.connection import add_connection, add_parameters, add_patience

HELP = "find the faces in a folder or a bucket of pictures, into Parquet files; killed at any time, it can go on"

VERIFY, SAMPLE = "verify", "sample"
MODES = ("workers", "node", "remote")

_EPILOG = """\
examples:
  faces batch photos/ faces/                                   a folder, on all cores of this machine
  faces batch photos/ faces/ --resume                          go on where a run ended or was killed
  faces batch photos/ faces/ --dry-run                         say what would be done
  faces batch s3://bucket/photos s3://bucket/faces --embeddings
  faces batch 's3://bucket/train-*.tar' faces/ --ray auto      WebDataset, on the Ray cluster of this machine
  faces batch urls.parquet faces/ --column url                 paths in a column; or bytes
  faces batch photos/ faces/ --url gpu1:8001,gpu2:8001         servers compute, this machine reads
  faces batch verify faces/                                    prove that nothing is missing or there twice
  faces batch sample faces/ --out sheet.png                    look at some of it

SOURCE: a folder, a pattern ('photos/**/*.jpg'), s3://, gs:// or az://, a text file of paths (.txt), Parquet files with
--column, tar files. TARGET: an empty folder or bucket prefix, or one with a run to go on with. Of a store behind an
address of its own: 's3://bucket/photos?endpoint_override=HOST:PORT&scheme=http'. Credentials come from the environment.
docs/batch.md has the columns, clusters and costs. A folder called verify is ./verify.

exit status: 0 everything is there, 1 the run ended before (go on with --resume), 2 wrong usage,
130 after Ctrl-C, 143 after SIGTERM
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces batch`."""
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="SOURCE", help=f"what to read; or `{VERIFY}` or `{SAMPLE}`")
    parser.add_argument("target", metavar="TARGET", help="where the Parquet files go")
    _add_what(parser)
    _add_how(parser)
    sheet = parser.add_argument_group(f"faces batch {SAMPLE}")
    sheet.add_argument("--out", type=Path, default=Path("sample.png"), metavar="FILE", help="the sheet (%(default)s)")
    sheet.add_argument("--count", type=whole(1, 500), default=30, metavar="N", help="of each kind (%(default)s)")
    sheet.add_argument("--seed", type=whole(), default=0, metavar="N", help="for another choice (%(default)s)")
    add_force(parser)
    add_connection(parser)
    add_patience(parser)
    add_parameters(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to do")
    group.add_argument("--embeddings", action="store_true", help="FaceNet's embedding of each face too")
    group.add_argument("--crops", action="store_true", help="a picture of each face too, as JPEG (--image-size)")
    group.add_argument("--column", metavar="NAME", help="of Parquet files: paths (strings) or pictures (bytes)")
    group.add_argument(
        "--every", type=whole(1), default=25, metavar="N", help="of videos, look at every Nth frame (%(default)s)"
    )
    group.add_argument("--limit", type=whole(1), metavar="N", help="the first N pictures only, by path")
    group.add_argument(
        "--shard-size", type=whole(1, 1_000_000), default=2000, metavar="N", help="pictures in a file (%(default)s)"
    )
    group.add_argument("--resume", action="store_true", help="go on with the run that the target holds")
    group.add_argument("--dry-run", action="store_true", help="list the source, say what would be done, write nothing")


def _add_how(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs")
    group.add_argument(
        "--mode",
        choices=MODES,
        help="workers: networks in Ray's processes, one a core (default); node: a server on each node, for GPUs; "
        "remote: the servers of --url (default where that is given)",
    )
    group.add_argument("--ray", metavar="ADDRESS", help="of a cluster, such as auto or ray://head:10001 (this machine)")
    group.add_argument("--workers", type=whole(1, 10_000), metavar="N", help="shards at a time (one a core)")
    group.add_argument(
        "--repository",
        type=Path,
        default=default_repository(),
        metavar="DIR",
        help="the model repository that networks are taken from (%(default)s)",
    )
    group.add_argument(
        "--metrics-port", type=whole(0, 65535), default=0, metavar="N", help="counters for Prometheus (0: none)"
    )
    group.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="where they are served (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    from face_batch.errors import BatchError
    from face_client.errors import FaceError
    from face_command.console import message
    from face_command.interrupts import Interrupts
    from face_command.outputs import OutputError

    try:
        with Interrupts():
            return _action(args)(args)
    except (BatchError, FaceError, OutputError) as error:
        message(f"faces batch: {error}")
        return _status(error)


def _action(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    # Each imports what it needs: Ray takes longer than `--help`.
    if args.source == VERIFY:
        from face_batch.asking import verify_target

        return verify_target
    if args.source == SAMPLE:
        from face_batch.asking import draw_sample

        return draw_sample
    # Ray reads these when it is imported. It tells its makers of each run, unless it is told not to, and stdout of each
    # worker that ended, which is the run's to tell. It runs whatever code reaches its ports: a cluster of one's own,
    # meant for no other machine, has them on loopback, and takes code from those alone who have this run's token.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died")
    if args.ray is None:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    from face_batch.doing import do

    return do


def _status(error: Exception) -> int:
    from face_batch.errors import BadSource, TargetRefused
    from face_client.errors import InvalidInput
    from face_command.main import EXIT_USAGE
    from face_command.outputs import OutputRefused

    return EXIT_USAGE if isinstance(error, BadSource | TargetRefused | InvalidInput | OutputRefused) else 1
