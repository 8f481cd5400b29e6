"""A picture of many faces, row by row, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_client.drawing import Font, load_font

SIDE = 96
"""Of a face on the sheet, in pixels."""

COLUMNS = 10

_GAP = 8
_CAPTION = 14
_TITLE = 24
_FONT_SIZE = 10
_TITLE_SIZE = 15
_PAPER, _INK, _GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)


class Tile(NamedTuple):
    """A face. crop: uint8 [S, S, 3] RGB of any size. caption: below it, shortened where it is too long."""

    crop: NDArray[np.uint8]
    caption: str


class Section(NamedTuple):
    """A title, and its faces below; more than COLUMNS of them take several lines."""

    title: str
    tiles: Sequence[Tile]


def sheet_size(sections: Sequence[Section]) -> tuple[int, int]:
    """(width, height) of the sheet in pixels."""
    height = _GAP + sum(_height(section) for section in sections)
    return _GAP + COLUMNS * (SIDE + _GAP), height


def contact_sheet(sections: Sequence[Section]) -> Image.Image:
    """The sheet, an RGB image."""
    sheet = Image.new("RGB", sheet_size(sections), _PAPER)
    pen = ImageDraw.Draw(sheet)
    top = _GAP
    for section in sections:
        pen.text((_GAP, top), section.title, fill=_INK, font=load_font(_TITLE_SIZE))
        for number, tile in enumerate(section.tiles):
            line, column = divmod(number, COLUMNS)
            corner = _GAP + column * (SIDE + _GAP), top + _TITLE + line * _LINE
            _paste(sheet, pen, tile, corner)
        top += _height(section)
    return sheet


_LINE = SIDE + _CAPTION + _GAP


def _height(section: Section) -> int:
    return _TITLE + -(-len(section.tiles) // COLUMNS) * _LINE


def _paste(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, corner: tuple[int, int]) -> None:
    sheet.paste(thumbnail(tile.crop), corner)
    font = load_font(_FONT_SIZE)
    pen.text((corner[0], corner[1] + SIDE + 1), _shortened(pen, tile.caption, font), fill=_GREY, font=font)


def thumbnail(crop: NDArray[np.uint8]) -> Image.Image:
    """A crop in the size that it has on the sheet."""
    return Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BOX)


def _shortened(pen: ImageDraw.ImageDraw, text: str, font: Font) -> str:
    """The end of a name tells more than its start: IMG_2034.jpg."""
    # A name of several lines would be drawn across the next face.
    text = "".join(character if character.isprintable() else "?" for character in text)
    if pen.textlength(text, font=font) <= SIDE:
        return text
    while text and pen.textlength(f"…{text}", font=font) > SIDE:
        text = text[1:]
    return f"…{text}"
