"""Pictures for a person to look at: faces drawn into a picture, and a contact sheet of many faces.

Drawn are box, five landmarks, and a label, which is the probability if nothing else is said. The sheet has a title for
each section, and its faces below, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from face_client.faces import Face, Faces
from face_command.outputs import write_whole
from face_pictures.decoding import MAX_PIXELS_TO_SHRINK, decode_image
from face_pictures.marks import COPY, mark

Font = Union[ImageFont.ImageFont, ImageFont.FreeTypeFont]

Colour = Union[tuple[int, int, int], int]
"""Red, green and blue for an RGB picture, or a number for a picture of one channel."""


Box = tuple[float, float, float, float]
"""x1, y1, x2, y2, with x1 <= x2 and y1 <= y2."""


class Colours(NamedTuple):
    """box: also the patch under the label. ink: the label's text."""

    box: Colour
    landmark: Colour
    ink: Colour


LANDMARK = (255, 60, 60)
INK = (0, 0, 0)

_COLOURS = Colours((0, 220, 90), LANDMARK, INK)

# Of labels that have no place in the usual size; smaller ones cannot be read.
_SMALLER = (18, 14, 11, 9)

_JPEG_QUALITY = 95

SIDE = 96
"""Of a face on the sheet, in pixels."""

COLUMNS = 10

_GAP = 8
_CAPTION = 14
_LINE = SIDE + _CAPTION + _GAP
_TITLE = 24
_FONT_SIZE = 10
_TITLE_SIZE = 15
_PAPER, _INK, _GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def draw_faces(image: NDArray[np.uint8], faces: Faces, labels: Sequence[str] | None = None) -> Image.Image:
    """A new RGB image with the faces drawn; image: uint8 [H, W, 3]. Lines and text grow with the image.

    labels: of each face; None: its probability.
    """
    picture = Image.fromarray(image)
    labels = [f"{face.probability:.3f}" for face in faces] if labels is None else labels
    draw_on(picture, faces, labels, [_COLOURS] * len(faces))
    return picture


def draw_on(picture: Image.Image, faces: Faces, labels: Sequence[str], colours: Sequence[Colours]) -> None:
    """Draw into the picture itself; a label and colours for each face.

    No label covers another, or another face: in a crowd they become smaller, go below or into their boxes, and where
    there is no place left, a face has none. Larger faces choose first.
    """
    pen = ImageDraw.Draw(picture)
    line = max(1, round(max(picture.size) / 500))
    for face, colour in zip(faces, colours):
        _draw_face(pen, face, line, colour)
    # Over all boxes, so that no neighbour's box crosses a label.
    boxes = [_sorted_box(face) for face in faces]
    places = Places(picture.size, boxes)
    sizes = [8 + 4 * line, *(size for size in _SMALLER if size < 8 + 4 * line)]
    for number in sorted(range(len(faces)), key=lambda number: boxes[number][0] - boxes[number][2]):
        _draw_label(pen, number, labels[number], sizes, colours[number], places)


def save_drawing(picture: Path | bytes, faces: Faces, copy: Path, labels: Sequence[str] | None = None) -> None:
    """Write a picture, a file's path or content, to `copy`, upright, with the faces drawn; its folder is made. labels:
    see `draw_faces`.

    Raises InvalidImage, OSError for a file that cannot be read, OutputError for one that cannot be written.
    """
    data = picture if isinstance(picture, bytes) else picture.read_bytes()
    # As large as those may be that the client shrinks before it asks.
    drawing = draw_faces(decode_image(data, MAX_PIXELS_TO_SHRINK), faces, labels)
    file_format = Image.registered_extensions()[copy.suffix.lower()]
    write_whole(copy, partial(drawing.save, format=file_format, quality=_JPEG_QUALITY, exif=mark(COPY)))


def _draw_face(pen: ImageDraw.ImageDraw, face: Face, line: int, colours: Colours) -> None:
    x1, y1, x2, y2 = _sorted_box(face)
    pen.rectangle((x1, y1, x2, y2), outline=colours.box, width=line)
    # A dot of a fixed share of the face, or those of a small face run together.
    radius = max(1.0, min(1.5 * line, (x2 - x1) / 25))
    for x, y in face.landmarks:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours.landmark)


def _draw_label(
    pen: ImageDraw.ImageDraw, number: int, text: str, sizes: Sequence[int], colours: Colours, places: Places
) -> None:
    """The text of a face on a filled patch, in the largest size that has a place."""
    for size in sizes:
        font = load_font(size)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        patch = places.take(number, right - left + 4, bottom - top + 4)
        if patch is not None:
            x, y, _, _ = patch
            pen.rectangle(patch, fill=colours.box)
            pen.text((x + 2 - left, y + 2 - top), text, fill=colours.ink, font=font)
            return


class Places:
    """Where there is room for labels in a picture of a size (width, height), with the boxes of its faces."""

    def __init__(self, size: tuple[int, int], boxes: Sequence[Box]) -> None:
        self._size = size
        self._boxes = boxes
        # Of faces, each at its number, and then of labels.
        self._taken = np.array(boxes, float).reshape(-1, 4)

    def take(self, number: int, width: float, height: float) -> Box | None:
        """A place for a face's label of that size: above the box, below it, or inside at its upper or lower edge; None
        where all of them are taken."""
        x1, y1, _, y2 = self._boxes[number]
        x = min(max(0.0, x1), max(0.0, self._size[0] - width))
        for y in (y1 - height, y2, max(0.0, y1), y2 - height):
            patch = (x, y, x + width, y + height)
            if y >= 0 and y + height <= max(self._size[1], height) and self._is_free(number, patch):
                self._taken = np.concatenate([self._taken, [patch]])
                return patch
        return None

    def _is_free(self, number: int, patch: Box) -> bool:
        """Its own face may be covered."""
        x1, y1, x2, y2 = self._taken.T
        meets = (x1 < patch[2]) & (patch[0] < x2) & (y1 < patch[3]) & (patch[1] < y2)
        meets[number] = False
        return not meets.any()


def _sorted_box(face: Face) -> Box:
    """x1, y1, x2, y2 sorted: Pillow refuses others, and box regression may turn one over."""
    x1, y1, x2, y2 = (float(value) for value in face.box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


@lru_cache(maxsize=8)
def load_font(size: int) -> Font:
    """Pillow's own font; before Pillow 10.1, or without FreeType, it has one size only."""
    try:
        return ImageFont.load_default(size)
    except (TypeError, OSError):
        return ImageFont.load_default()


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
        for place, tile in enumerate(section.tiles):
            line, column = divmod(place, COLUMNS)
            corner = _GAP + column * (SIDE + _GAP), top + _TITLE + line * _LINE
            _paste(sheet, pen, tile, corner)
        top += _height(section)
    return sheet


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
