"""Options of verbs that look through videos and write copies of them."""

from __future__ import annotations

import argparse

from face_command.arguments import whole
from face_tools.video.frames import CRF, MAX_CRF, PRESET, PRESETS


def add_stride(parser: argparse._ActionsContainer) -> None:
    """--stride."""
    parser.add_argument(
        "--stride", type=whole(1), default=1, metavar="N", help="look for faces in every Nth frame (%(default)s)"
    )


def add_encoding(parser: argparse._ActionsContainer) -> None:
    """--preset and --crf: of the copy."""
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default=PRESET,
        metavar="NAME",
        help=f"of x264, slower ones make smaller files: {', '.join(PRESETS)} (%(default)s)",
    )
    parser.add_argument(
        "--crf", type=whole(0, MAX_CRF), default=CRF, metavar="N", help="quality, 0 (lossless) to 51 (%(default)s)"
    )
