"""`faces crop`: the faces in pictures, cut out and saved."""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

from PIL import Image

from face_client.faces import Faces
from face_command import console, outputs
from face_pictures.marks import CROP, mark, marked
from face_tools import batch, pictures
from face_tools.connection import add_asking
from face_tools.pictures import Picture, content

_COLUMNS = (console.Column("image"), console.Column("face"), console.Column("probability", 11))

HELP = "cut the faces out of pictures, and save them"

# PNG keeps every pixel, which is what a network should be trained on.
_FORMATS = ("png", "jpg", "webp")
_QUALITY = 95

_NUMBERED = re.compile(r"(.+)_[1-9][0-9]*\.([a-z]+)")

_EPILOG = """\
examples:
  faces crop photo.jpg faces/                      faces/photo_1.png, faces/photo_2.png, ...
  faces crop holiday/ faces/                       the same folders in faces/ as in holiday/
  faces crop holiday/ faces/ --margin 32 --image-size 224 --format jpg
  faces crop people/ faces/ --selection largest --align

Each face is a file of --image-size x --image-size pixels, in the order of the answer; --selection and --max-faces say
which faces. A picture without a face is named, and is no failure. Crops of an earlier run over the same picture are
replaced. Crops of another picture of that name are not, nor any other file, unless --force is given.

exit status: 0 every picture was read, 1 some were not or a crop could not be written, 2 wrong usage, 3 no server
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces crop`."""
    parser.epilog = _EPILOG
    pictures.add_paths(parser)
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write to; it is made")
    parser.add_argument("--format", choices=_FORMATS, default=_FORMATS[0], help="of the files (%(default)s)")
    outputs.add_force(parser)
    add_asking(parser)


def run(args: argparse.Namespace) -> int:
    """Crop and save; returns the exit status."""
    crops = _Crops(args)
    return batch.run("crop", args, crops=True, check=crops.check, take=crops.take, show=crops.show)


class _Crops:
    """The files of all pictures, and the rows that tell them."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._stems: dict[Path, Path] = {}
        self._written: list[Path] = []

    def check(self, found: Sequence[Picture]) -> None:
        """Raises OutputRefused where a crop may not be written, as far as that is known before there are any."""
        outputs.check_folder("OUT", self._args.out)
        self._stems = pictures.plan_stems(found, self._args.out)
        reads = outputs.identities(picture.path for picture in found)
        there = _numbered_files(self._stems.values(), self._args.format)
        for picture in found:
            for file in there[self._stems[picture.path]]:
                is_ours = partial(_is_crop_of, picture)
                outputs.check_replaceable("OUT", file, reads=reads, is_ours=is_ours, force=self._args.force)

    def take(self, picture: Picture, faces: Faces) -> None:
        """Save the faces. Raises OutputError."""
        self._written = []
        stem, exif = self._stems[picture.path], mark(_name(picture))
        for number, face in enumerate(faces, 1):
            assert face.crop is not None, "crops were asked for"
            file = stem.with_name(f"{stem.name}_{number}.{self._args.format}")
            save = partial(Image.fromarray(face.crop).save, format=_pillows(file), quality=_QUALITY, exif=exif)
            outputs.write_whole(file, save)
            self._written.append(file)

    def show(self, answers: batch.Answers) -> None:
        """A row for each crop that was written."""
        rows = (row for picture, answer in answers if isinstance(answer, Faces) for row in self._rows(picture, answer))
        console.print_as_they_come(_COLUMNS, rows)

    def _rows(self, picture: Picture, faces: Faces) -> Iterator[tuple[str, str, str]]:
        if not faces:
            yield str(picture.path), "no face", ""
        for face, file in zip(faces, self._written):
            yield str(picture.path), str(file), f"{face.probability:.4f}"


def _pillows(file: Path) -> str:
    """Pillow's name of the format."""
    return Image.registered_extensions()[file.suffix]


def _numbered_files(stems: Collection[Path], suffix: str) -> dict[Path, list[Path]]:
    """The files that are there as photo_1.png, photo_2.png, …, by their stem; a folder is looked through once."""
    files: dict[Path, list[Path]] = defaultdict(list)
    for folder in sorted({stem.parent for stem in stems}):
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = _NUMBERED.fullmatch(file.name)
            if name and name[2] == suffix:
                files[folder / name[1]].append(file)
    return files


def _is_crop_of(picture: Picture, file: Path) -> bool:
    return marked(file) == _name(picture)


@cache
def _name(picture: Picture) -> str:
    """The mark of a picture's crops: which picture it is, whatever it is called."""
    data = content(picture)
    return f"{CROP}{sha256(data if isinstance(data, bytes) else data.read_bytes()).hexdigest()[:16]}"
