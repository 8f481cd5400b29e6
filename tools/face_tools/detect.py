"""`faces detect`: the faces in pictures, as a table, as JSON lines, and drawn."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from face_tools import pictures
from face_tools.connection import parameters_from

if TYPE_CHECKING:
    from face_client.batches import BatchAnswer
    from face_client.client import FaceClient


HELP = "find the faces in pictures"

_EPILOG = """\
examples:
  faces detect photo.jpg
  faces detect holiday/ --save found/                 copies with the faces drawn
  faces detect a.jpg b.png --json > faces.jsonl       one JSON object a line
  faces detect crowd.jpg --min-face-size 12 --threshold-onet 0.9

exit status: 0 every picture was read, 1 some were not, 2 wrong usage, 3 no server
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces detect`."""
    parser.epilog = _EPILOG
    pictures.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Detect and print; returns the exit status."""

    def ask(client: FaceClient, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        return client.detect_batch(
            paths, max_side=args.max_side, in_flight=args.in_flight, on_error="return", **parameters_from(args)
        )

    return pictures.run(pictures.Verb("detect", ask, lambda client: [client.model]), args)
