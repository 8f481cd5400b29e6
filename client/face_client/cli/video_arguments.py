"""The arguments of `faces video`."""

from __future__ import annotations

import argparse
from pathlib import Path

from face_client.cli.arguments import add_connection, add_parameters, positive_float, positive_int, whole_number
from face_client.defaults import CRF, MAX_AGE, MIN_HITS, PRESET, VIDEO_IN_FLIGHT
from face_client.options import PARAMETERS

# Nobody sees a crop of these faces.
_OF_CROPS = ("image_size", "margin", "align")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("video", nargs="?", metavar="IN", help="a video file, or an address that FFmpeg opens")
    source.add_argument("--camera", type=whole_number, metavar="N", help="read camera N instead, /dev/videoN")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write a copy there with the faces drawn: .mp4, .m4v, .mov or .mkv"
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the JSON lines there (beside --out; without it, to stdout)"
    )
    parser.add_argument(
        "--stride", type=positive_int, default=1, metavar="N", help="look for faces in every Nth frame (%(default)s)"
    )
    parser.add_argument("--seconds", type=positive_float, metavar="S", help="stop after S seconds of video")
    parser.add_argument(
        "--max-side", type=positive_int, metavar="N", help="shrink larger frames to N pixels before sending"
    )
    _add_numbers(parser)
    _add_copy(parser)
    add_connection(parser)
    add_parameters(parser, [name for name in PARAMETERS if name not in _OF_CROPS])
    parser.set_defaults(in_flight=VIDEO_IN_FLIGHT)


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("numbers of faces")
    group.add_argument(
        "--max-age",
        type=whole_number,
        default=MAX_AGE,
        metavar="N",
        help="frames that a face may be missing and keep its number (%(default)s)",
    )
    group.add_argument(
        "--min-hits",
        type=positive_int,
        default=MIN_HITS,
        metavar="N",
        help="detections in a row that a face needs before it gets a number (%(default)s)",
    )


def _add_copy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the copy (H.264)")
    group.add_argument(
        "--preset", default=PRESET, metavar="NAME", help="of x264: slower ones make smaller files (%(default)s)"
    )
    group.add_argument(
        "--crf", type=whole_number, default=CRF, metavar="N", help="quality, 0 (lossless) to 51 (%(default)s)"
    )
