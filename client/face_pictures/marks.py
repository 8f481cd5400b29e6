"""Pictures that our commands write carry a mark, so that a later run knows its own: it may replace them, and a search
for photos passes them over."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

SHEET = "contact sheet"
COPY = "drawing"
COVERED = "faces covered"
"""A picture to be read like any other; it does not tell what it was made of."""
CROP = "crop of "
"""Followed by what tells the picture that it was cut from."""

KEEP_MARKS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff"})
"""Suffixes of the formats in which Pillow writes EXIF, and all colours."""

_SOFTWARE = 0x0131
"""EXIF's tag for the program that made a picture."""

PROGRAM = "triton-faces"
_MARK = re.compile(rf"{PROGRAM} ([ -~]+)\0".encode())

# EXIF data lie at the start of a file, and in WebP and in some TIFF at its end.
_LOOKED_AT = 8192


def mark(what: str) -> Image.Exif:
    """For `exif` of Pillow's `save`. what: the picture is, in a word or two; ASCII."""
    exif = Image.Exif()
    exif[_SOFTWARE] = f"{PROGRAM} {what}"
    return exif


def marked(path: Path) -> str | None:
    """What the mark in a picture says it is; None for a picture of somebody else's, or no picture.

    The file is not parsed: whole folders are asked.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LOOKED_AT)
            if len(data) == _LOOKED_AT:
                size = file.seek(0, 2)
                file.seek(max(_LOOKED_AT, size - _LOOKED_AT))
                data += file.read()
    except OSError:
        return None
    found = _MARK.search(data)
    return None if found is None else found[1].decode("ascii")
