"""`faces detect`: the faces in pictures, as a table, as JSON lines, and drawn."""

from __future__ import annotations

import argparse

from face_tools import pictures

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
    return pictures.run("detect", args)
