"""`faces recognize`: the faces in pictures with their embeddings."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from face_client.errors import reason
from face_client.faces import Faces
from face_command import console
from face_tools import pictures
from face_tools.connection import EXIT_SOME_FAILED

HELP = "find the faces in pictures, and their embeddings"

_EPILOG = """\
examples:
  faces recognize photo.jpg --json                     one JSON object a line, with "embedding" in each face
  faces recognize holiday/ --embeddings holiday.npz    all faces as arrays for NumPy
  faces recognize holiday/ --align --embeddings h.npz  faces turned upright first

The .npz file has a row for each face: embeddings [N, 512], boxes [N, 4], probabilities [N], landmarks [N, 5, 2] and
images [N], the path of its picture.

exit status: 0 every picture was read, 1 some were not, 2 wrong usage, 3 no server, or none with FaceNet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces recognize`."""
    parser.epilog = _EPILOG
    pictures.add_arguments(parser)
    parser.add_argument("--embeddings", metavar="FILE", type=Path, help="write all faces there, as a .npz file")


def run(args: argparse.Namespace) -> int:
    """Recognise and print; returns the exit status."""
    found: list[tuple[Path, Faces]] = []

    def take(path: Path, faces: Faces) -> None:
        if args.embeddings is not None:
            found.append((path, faces))

    status = pictures.run("recognize", args, recognize=True, take=take)
    if not found:
        return status
    try:
        _write(args.embeddings, found)
    except OSError as error:
        console.message(f"{args.embeddings}: {reason(error)}")
        return EXIT_SOME_FAILED
    return status


def _write(path: Path, found: list[tuple[Path, Faces]]) -> None:
    """All faces of all pictures as one .npz file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        name: np.concatenate([getattr(faces, name) for _, faces in found])
        for name in ("embeddings", "boxes", "probabilities", "landmarks")
    }
    images = np.array([str(image) for image, faces in found for _ in faces], dtype=np.str_)
    # A file that is open already: NumPy would add its suffix to another name.
    with path.open("wb") as file:
        np.savez(file, images=images, **rows)
