"""`faces cluster`: who is in many pictures, as a contact sheet and as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_client.errors import InvalidInput, reason
from face_client.faces import Faces
from face_client.similarity import SAME_DISTANCE
from face_command import console
from face_command.arguments import number, whole
from face_tools import pictures
from face_tools.clustering import UNCLUSTERED, Clusters, cluster_faces, scipy_hierarchy
from face_tools.connection import EXIT_SOME_FAILED, EXIT_USAGE, parameters_from
from face_tools.drawing import Font, load_font

if TYPE_CHECKING:
    from face_client.batches import BatchAnswer
    from face_client.client import FaceClient


# A picture of many faces, row by row, for a person to look at.


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
        for place, tile in enumerate(section.tiles):
            line, column = divmod(place, COLUMNS)
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


HELP = "tell which faces in many pictures are one person's"

_EPILOG = """\
examples:
  faces cluster holiday/                            clusters.png to look at, and clusters.json
  faces cluster holiday/ --sheet people.png         people.png and people.json
  faces cluster holiday/ --distance 0.9             only faces that are more alike

The sheet has a row for each cluster, the largest first, and at its end the faces that are with no other. --distance is
the largest average distance of two embeddings in a cluster, from 0 to 2. Needs the extra "cluster".

exit status: 0 every picture was read, 1 some were not or a file could not be written, 2 wrong usage, 3 no server, or
none with FaceNet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces cluster`."""
    parser.epilog = _EPILOG
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder to search for them")
    parser.add_argument(
        "--sheet",
        metavar="FILE",
        type=Path,
        default=Path("clusters.png"),
        help="the contact sheet; FILE.json beside it has the numbers (%(default)s)",
    )
    parser.add_argument(
        "--distance",
        type=number(above=0),
        default=SAME_DISTANCE,
        metavar="D",
        help="how far apart the faces of a cluster may be on average (%(default)g)",
    )
    parser.add_argument("--min-faces", type=whole(1), default=2, metavar="N", help="the smallest cluster (%(default)s)")
    pictures.add_asking(parser)


def run(args: argparse.Namespace) -> int:
    """Recognise, cluster and write; returns the exit status."""
    if args.sheet.suffix.lower() != ".png":
        console.message(f"faces cluster: --sheet is {args.sheet}; it must end in .png")
        return EXIT_USAGE
    # Before the server has worked for it.
    scipy_hierarchy()
    found: list[tuple[Path, Faces]] = []

    def ask(client: FaceClient, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        return client.recognize_batch(
            paths,
            crops=True,
            max_side=args.max_side,
            in_flight=args.in_flight,
            on_error="return",
            **parameters_from(args),
        )

    def show(answers: pictures.FacesOfPictures, _args: argparse.Namespace) -> None:
        found.extend((path, _small(faces)) for path, faces in answers)

    verb = pictures.Verb("cluster", ask, lambda client: [client.recognizer, client.embedder], show=show)
    status = pictures.run(verb, args)
    if not found:
        return status
    try:
        clusters = cluster_faces((faces for _, faces in found), args.distance, args.min_faces)
        paths = [found[image][0] for image in clusters.images]
        _write(clusters, paths, args)
    except InvalidInput as error:
        console.message(f"faces cluster: {error}")
        return EXIT_USAGE
    except OSError as error:
        console.message(f"{args.sheet}: {reason(error)}")
        return EXIT_SOME_FAILED
    _print(clusters, paths)
    return status


def _small(faces: Faces) -> Faces:
    """With crops as small as they are on the sheet: those of a large collection would fill the memory."""
    if faces.crops is None or not len(faces.crops):
        return faces
    return replace(faces, crops=np.stack([np.asarray(thumbnail(crop)) for crop in faces.crops]))


def _groups(clusters: Clusters) -> list[tuple[str, list[int]]]:
    """A title and the faces of each cluster, and of those that have none."""
    groups = [(f"cluster {label + 1}", clusters.members(label)) for label in range(len(clusters))]
    return [*groups, ("unclustered", clusters.members(UNCLUSTERED))]


def _write(clusters: Clusters, paths: list[Path], args: argparse.Namespace) -> None:
    def tile(number: int) -> Tile:
        crop = clusters.faces[number].crop
        assert crop is not None, "crops were asked for"
        return Tile(crop, paths[number].name)

    def entry(number: int) -> dict[str, Any]:
        document = clusters.faces[number].to_dict()
        return {"image": str(paths[number]), "box": document["box"], "probability": document["probability"]}

    groups = [(title, members) for title, members in _groups(clusters) if members]
    sections = [Section(f"{title}: {len(members)}", [tile(number) for number in members]) for title, members in groups]
    args.sheet.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(sections).save(args.sheet)
    document = {
        "distance": args.distance,
        "clusters": [[entry(n) for n in clusters.members(label)] for label in range(len(clusters))],
        "unclustered": [entry(n) for n in clusters.members(UNCLUSTERED)],
    }
    args.sheet.with_suffix(".json").write_text(json.dumps(document, indent=1))


def _print(clusters: Clusters, paths: list[Path]) -> None:
    rows = (
        (title, str(len(members)), str(len({paths[number] for number in members})))
        for title, members in _groups(clusters)
    )
    console.print_table(("cluster", "faces", "pictures"), rows)
