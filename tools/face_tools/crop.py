"""`faces crop`: the faces in pictures, cut out and saved."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from face_client.faces import Faces
from face_command import console
from face_tools import pictures
from face_tools.connection import add_asking, in_one_line

_HEADER = ("image", "face", "probability")

HELP = "cut the faces out of pictures, and save them"

# PNG keeps every pixel, which is what a network should be trained on.
_FORMATS = ("png", "jpg", "webp")
_QUALITY = 95

_EPILOG = """\
examples:
  faces crop photo.jpg faces/                      faces/photo_1.png, faces/photo_2.png, ...
  faces crop holiday/ faces/                       the same folders in faces/ as in holiday/
  faces crop holiday/ faces/ --margin 32 --image-size 224 --format jpg
  faces crop people/ faces/ --selection largest --align

Each face is a file of --image-size x --image-size pixels, in the order of the answer; --selection and --max-faces say
which faces. A picture without a face is named, and is no failure.

exit status: 0 every picture was read, 1 some were not, 2 wrong usage, 3 no server
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces crop`."""
    parser.epilog = _EPILOG
    pictures.add_paths(parser)
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write to; it is made")
    parser.add_argument("--format", choices=_FORMATS, default=_FORMATS[0], help="of the files (%(default)s)")
    add_asking(parser)


def run(args: argparse.Namespace) -> int:
    """Crop and save; returns the exit status."""
    return in_one_line("crop", lambda: _crop(args))


def _crop(args: argparse.Namespace) -> int:
    stems = pictures.plan_stems(pictures.find(args.paths), args.out)
    originals = {path.resolve() for path in stems}

    def take(path: Path, faces: Faces) -> None:
        for face, file in zip(faces, _files(stems[path], args.format, len(faces))):
            if file.resolve() in originals:
                raise OSError(f"the crop {file} would overwrite a picture; give another folder")
            assert face.crop is not None, "crops were asked for"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(face.crop).save(file, quality=_QUALITY)

    def rows(path: Path, faces: Faces) -> Iterator[tuple[str, str, str]]:
        if not faces:
            yield str(path), "no face", ""
        for face, file in zip(faces, _files(stems[path], args.format, len(faces))):
            yield str(path), str(file), f"{face.probability:.4f}"

    def show(answers: pictures.FacesOfPictures, _args: argparse.Namespace) -> None:
        console.print_table(_HEADER, (row for path, faces in answers for row in rows(path, faces)))

    return pictures.run("crop", args, crops=True, take=take, show=show)


def _files(stem: Path, suffix: str, count: int) -> list[Path]:
    """photo_1.png, photo_2.png, …: a file for each face of a picture."""
    return [stem.with_name(f"{stem.name}_{number}.{suffix}") for number in range(1, count + 1)]
