"""The pictures that are sent, as pixels and as a JPEG file."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_bench import BenchError
from face_client import InvalidImage, decode_image
from face_command.console import message
from face_pictures.folders import pictures_in
from face_pictures.formats import format_of

WALL_SIZES = ((1920, 1080), (1280, 720), (960, 540))
CROWD_SIZES = ((960, 540), (1280, 720), (2048, 1150))
PORTRAIT_SIZE = (1280, 1280)
PAGE_SIZE = (1240, 1754)
WALL_4K_SIZE = (3840, 2160)
JPEG_QUALITY = 95

MAX_PHOTOS = 100
"""Of the user's own: the benchmark measures each in every round with every contender."""

PORTRAIT = Path(__file__).parents[2] / "tests" / "data" / "astronaut.png"

# (side, x, y) of each copy of the portrait on the canvas.
_WALL = (
    (512, 0, 0),
    (384, 540, 20),
    (256, 950, 40),
    (192, 1230, 60),
    (128, 1450, 80),
    (96, 1600, 100),
    (64, 1720, 110),
    (448, 100, 580),
    (320, 600, 640),
    (224, 960, 700),
    (160, 1220, 740),
    (112, 1420, 780),
)
# Of the portrait, left, top, right, bottom.
_HEAD = (160, 30, 290, 190)
_GREY = (127, 127, 127)


@dataclass(frozen=True, eq=False)
class Picture:
    """pixels: RGB uint8 [H,W,3]. jpeg: the file sent as encoded image. decoded: the pixels of that file."""

    name: str
    pixels: NDArray[np.uint8]
    jpeg: bytes
    decoded: NDArray[np.uint8]

    @classmethod
    def of_pixels(cls, name: str, pixels: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> "Picture":
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        return cls(name, pixels, file.getvalue(), decode_image(file.getvalue()))

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]


def wall(portrait: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """A grey canvas with the portrait in twelve sizes, resized from 1920x1080."""
    canvas = Image.new("RGB", WALL_SIZES[0], _GREY)
    for side, x, y in _WALL:
        canvas.paste(portrait.resize((side, side), Image.Resampling.BICUBIC), (x, y))
    if canvas.size != (width, height):
        canvas = canvas.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(canvas)


def stand(
    portrait: Image.Image, width: int, height: int, heights: tuple[int, int] = (18, 46), seed: int = 7
) -> NDArray[np.uint8]:
    """A stand of spectators: the portrait's head in rows on noise, close together, each tilted a little.

    heights: of the heads in pixels, from, and end exclusive; a row has one. 2400x1400 pixels hold 3,400 of them.
    """
    random = np.random.default_rng(seed)
    head = portrait.crop(_HEAD)
    canvas = Image.fromarray(random.integers(60, 200, (height, width, 3), dtype=np.uint8))
    top = gap = 2
    while top + heights[1] < height:
        tall = int(random.integers(*heights))
        wide = tall * head.width // head.height
        small = head.resize((wide, tall), Image.Resampling.BILINEAR)
        for left in range(gap, width - wide, wide + gap):
            canvas.paste(small.rotate(float(random.normal(0, 6)), Image.Resampling.BILINEAR), (left, top))
        top += tall + gap
    return np.array(canvas)


def page(width: int, height: int, seed: int = 7) -> NDArray[np.uint8]:
    """A sheet of paper in paragraphs of what looks like writing, strokes in place of letters; no faces."""
    random = np.random.default_rng(seed)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    margin, lead = width // 10, height // 50
    for line, top in enumerate(range(margin, height - margin, lead)):
        # A paragraph has nine lines, the last of them short, and an empty one below it.
        if line % 10 < 9:
            right = width // 2 if line % 10 == 8 else width - margin
            _write_line(draw, random, margin, right, top, lead // 2)
    return np.array(sheet)


def _write_line(
    draw: ImageDraw.ImageDraw, random: np.random.Generator, left: int, right: int, top: int, tall: int
) -> None:
    """Words of one to nine letters, each an upright, a bar or both."""
    wide = tall // 2
    while (letters := int(random.integers(1, 10))) * (wide + 3) < right - left:
        for x in range(left, left + letters * (wide + 3), wide + 3):
            upright, bar = random.random() < 0.8, int(random.integers(0, tall))
            above = tall // 3 if random.random() < 0.3 else 0
            if upright:
                draw.line((x, top - above, x, top + tall), (20, 20, 20), 2)
            if not upright or random.random() < 0.6:
                draw.line((x, top + bar, x + wide, top + bar), (20, 20, 20), 2)
        left += (letters + 1) * (wide + 3)


def walls(sizes: Sequence[tuple[int, int]] = WALL_SIZES, prefix: str = "wall ") -> list[Picture]:
    """The wall in these sizes, (width, height), each named by its size."""
    portrait = Image.open(PORTRAIT).convert("RGB")
    return [Picture.of_pixels(f"{prefix}{w}x{h}", wall(portrait, w, h)) for w, h in sizes]


def crowds(count: int) -> list[Picture]:
    """So many of the crowds, the smallest first, each named by its size."""
    portrait = Image.open(PORTRAIT).convert("RGB")
    return [Picture.of_pixels(f"crowd {w}x{h}", stand(portrait, w, h)) for w, h in CROWD_SIZES[:count]]


def more_pictures() -> list[Picture]:
    """What the walls are not: one large face, a page without any, and four times the pixels. Each named by its size."""
    portrait = Image.open(PORTRAIT).convert("RGB")
    face = np.array(portrait.resize(PORTRAIT_SIZE, Image.Resampling.BICUBIC))
    made = {"portrait": face, "page": page(*PAGE_SIZE), "wall": wall(portrait, *WALL_4K_SIZE)}
    return [Picture.of_pixels(f"{name} {pixels.shape[1]}x{pixels.shape[0]}", pixels) for name, pixels in made.items()]


def photos(folder: Path) -> list[Picture]:
    """The photos in a folder and below, by name.

    Raises:
        BenchError: no folder, no photos, too many, or one that cannot be read.
    """
    if not folder.is_dir():
        raise BenchError(f"--photos {folder} is not a folder")
    found = pictures_in(folder)
    for note in found.notes():
        message(note)
    files = sorted(found.files)
    if not 1 <= len(files) <= MAX_PHOTOS:
        raise BenchError(f"--photos {folder} has {len(files)} photos; 1 to {MAX_PHOTOS} can be measured")
    return [photo(file) for file in files]


def photo(file: Path) -> Picture:
    """A JPEG is sent as it is; anything else is encoded."""
    data = file.read_bytes()
    try:
        pixels = decode_image(data)
    except InvalidImage as error:
        raise BenchError(f"--photos: {file.name}: {error}") from error
    if format_of(data).name == "JPEG":
        return Picture(file.name, pixels, data, pixels)
    return Picture.of_pixels(file.name, pixels)


def odd_crops(pictures: list[Picture], count: int) -> Iterator[Picture]:
    """Pieces of the pictures in sizes that no two share, some without a face, in a fixed random choice."""
    random = np.random.RandomState(4)
    for n in range(count):
        source = pictures[n % len(pictures)].pixels
        height, width = (int(random.randint(1, side + 1)) for side in source.shape[:2])
        top, left = int(random.randint(source.shape[0] - height + 1)), int(random.randint(source.shape[1] - width + 1))
        piece = np.ascontiguousarray(source[top : top + height, left : left + width])
        yield Picture.of_pixels(f"piece {n}", piece)
