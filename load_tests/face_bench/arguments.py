"""The arguments of the command, and their limits."""

import argparse
from collections.abc import Callable
from pathlib import Path

from face_bench.pictures import MAX_PHOTOS
from face_bench.sweep import DEFAULT_CLIENTS

_MAX_CLIENTS = 256

_DESCRIPTION = """\
Measures this machine: our server, the whole way from client to answer, against facenet-pytorch and ipazc's mtcnn in
processes of their own, interleaved in one run. Then our server under 1 to 32 clients, and its memory.
"""

_EPILOG = """\
examples:
  make bench                                     everything; the first time also the peers' environments (about 7 GB)
  make bench ARGS="--no-peers --rounds 5"        ours alone, quickly
  make bench ARGS="--photos holiday/"            your own photos, beside the wall
  make bench ARGS="--networks bls --memory-requests 0 --sweep-seconds 0"
                                                 latency only, networks as models of their own

0 rounds, seconds or requests leave that part out. Nothing else should run on the machine meanwhile. Without a GPU,
PIP_EXTRA_INDEX_URL with PyTorch's index of CPU builds saves most of the gigabytes. Output: tables on the terminal, and
report.json, report.md and report.png.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "face_bench",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--no-peers", action="store_true", help="measure ours alone, and install nothing")
    add("--photos", type=Path, metavar="DIR", help=f"also these photos, at most {MAX_PHOTOS}")
    add("--no-wall", action="store_true", help="leave out the wall; needs --photos")
    add(
        "--networks",
        choices=("auto", "local", "bls"),
        default="auto",
        help="where the cascade runs its networks, as in `faces serve` (default: %(default)s)",
    )
    add("--rounds", type=_count(1000), default=15, metavar="N", help="measured rounds (default: %(default)s)")
    add("--warm-up", type=_count(100), default=3, metavar="N", help="rounds before them (default: %(default)s)")
    add(
        "--clients",
        type=_clients,
        default=DEFAULT_CLIENTS,
        metavar="N,N,…",
        help=f"numbers of concurrent clients (default: {','.join(map(str, DEFAULT_CLIENTS))})",
    )
    add(
        "--sweep-seconds",
        type=_count(600),
        default=8,
        metavar="S",
        help="for each number of clients (default: %(default)s)",
    )
    add(
        "--memory-requests",
        type=_count(100_000),
        default=2000,
        metavar="N",
        help="requests to watch the server's memory over (default: %(default)s)",
    )
    add("--out", type=Path, default=Path("bench"), metavar="DIR", help="for the files (default: %(default)s)")
    return made


def _count(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or int(text) > most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {most}")
        return int(text)

    return read


def _clients(text: str) -> tuple[int, ...]:
    read = _count(_MAX_CLIENTS)
    counts = tuple(read(part) for part in text.split(","))
    if 0 in counts or len(set(counts)) < len(counts):
        raise argparse.ArgumentTypeError(f"{text!r} must be different numbers from 1 to {_MAX_CLIENTS}")
    return counts
