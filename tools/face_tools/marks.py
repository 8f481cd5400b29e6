"""Pictures that these commands write carry a mark, so that a later run knows its own: it may replace them, and a search
for photos may pass them over."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

_SOFTWARE = 0x0131
"""EXIF's tag for the program that made a picture."""

_PROGRAM = "triton-faces"

KEEP_MARKS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})
"""Suffixes of the formats in which Pillow writes EXIF."""


def mark(what: str) -> Image.Exif:
    """For `exif` of Pillow's `save`. what: the picture is, in a word or two; ASCII."""
    exif = Image.Exif()
    exif[_SOFTWARE] = f"{_PROGRAM} {what}"
    return exif


def marked(path: Path) -> str | None:
    """What the mark in a picture says it is; None for a picture of somebody else's, or no picture."""
    try:
        # Pillow warns of sizes; nothing is decoded here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                # Not PNG's own, which decodes a picture without EXIF to its end.
                exif = Image.Image.getexif(picture)
        program, _, what = str(exif.get(_SOFTWARE, "")).partition(" ")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return what if program == _PROGRAM else None
