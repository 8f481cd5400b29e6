"""`faces detect`: the faces in pictures, as a table, as JSON lines, and drawn."""

from __future__ import annotations

import argparse

from face_tools import batch

HELP = "find the faces in pictures"

_EPILOG = """\
examples:
  faces detect photo.jpg
  faces detect holiday/ --save found/                 copies with the faces drawn
  faces detect a.jpg b.png --json > faces.jsonl       one JSON object a line
  faces detect holiday/ --json --resume faces.jsonl >> faces.jsonl      go on where an earlier run ended
  faces detect crowd.jpg --min-face-size 12 --threshold-onet 0.9
  curl -s https://example.com/photo.jpg | faces detect -

A picture that fails has a line on stderr, and with --json a record: {"image": ..., "error": {"type", "message"}}.
--save replaces copies of an earlier run, and nothing else. After Ctrl-C what was printed and saved is complete.

exit status: 0 every picture was read, 1 some were not, 2 wrong usage, 3 no server,
130 after Ctrl-C, 143 after SIGTERM
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces detect`."""
    parser.epilog = _EPILOG
    batch.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Detect and print; returns the exit status."""
    return batch.run("detect", args)
