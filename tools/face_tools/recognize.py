"""`faces recognize`: the faces in pictures with their embeddings."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from face_client.errors import InvalidInput
from face_client.faces import Faces
from face_command import outputs
from face_tools import batch
from face_tools.connection import EXIT_OK
from face_tools.pictures import Picture

HELP = "find the faces in pictures, and their embeddings"

_EPILOG = """\
examples:
  faces recognize photo.jpg --json                     one JSON object a line, with "embedding" in each face
  faces recognize holiday/ --embeddings holiday.npz    all faces as arrays for NumPy
  faces recognize holiday/ --align --embeddings h.npz  faces turned upright first

The .npz file has a row for each face: embeddings [N, 512], boxes [N, 4], probabilities [N], landmarks [N, 5, 2] and
images [N], the path of its picture; weights [N], the SHA-256 of FaceNet's weights: where it differs, do not compare.
It replaces one of an earlier run, and no other file. It is written at the end, also after Ctrl-C or when the server has
gone, with what was found until then.

exit status: 0 every picture was read, 1 some were not or a file could not be written, 2 wrong usage, 3 no server, or
none with FaceNet
"""

_ARRAYS = ("embeddings", "boxes", "probabilities", "landmarks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces recognize`."""
    parser.epilog = _EPILOG
    batch.add_arguments(parser)
    parser.add_argument("--embeddings", metavar="FILE", type=Path, help="write all faces there, as a .npz file")


def run(args: argparse.Namespace) -> int:
    """Recognise and print; returns the exit status."""
    if args.embeddings is None:
        return batch.run("recognize", args, recognize=True)
    found: list[tuple[Path, Faces]] = []

    def check(pictures: Sequence[Picture]) -> None:
        if args.resume is not None:
            raise InvalidInput(
                "--embeddings does not go with --resume: the file would lack the faces of the earlier run"
            )
        reads = outputs.identities(picture.path for picture in pictures)
        outputs.check_file("--embeddings", args.embeddings, reads=reads, is_ours=is_ours, force=args.force)

    def take(picture: Picture, faces: Faces) -> None:
        found.append((picture.path, faces))

    def finish() -> int:
        if found:
            _write(args.embeddings, found)
        return EXIT_OK

    return batch.run("recognize", args, recognize=True, check=check, take=take, finish=finish)


def is_ours(path: Path) -> bool:
    """Whether a file is one of embeddings: it has their arrays, and no others."""
    try:
        with zipfile.ZipFile(path) as arrays:
            # Those written before weights had names lack them.
            return {*arrays.namelist(), "weights.npy"} == {f"{name}.npy" for name in ("images", "weights", *_ARRAYS)}
    except (OSError, zipfile.BadZipFile):
        return False


def _write(path: Path, found: Sequence[tuple[Path, Faces]]) -> None:
    """All faces of all pictures as one .npz file. Raises OutputError."""
    rows = {name: np.concatenate([getattr(faces, name) for _, faces in found]) for name in _ARRAYS}
    images = np.array([str(image) for image, faces in found for _ in faces], dtype=np.str_)
    weights = np.array([_digest(faces) for _, faces in found for _ in faces], dtype=np.str_)
    # Not into the file itself: where the disk is full, zipfile's destructor would tell it again, as a traceback.
    archive = BytesIO()
    np.savez(archive, images=images, weights=weights, **rows)
    outputs.write_whole(path, lambda file: file.write(archive.getbuffer()))


def _digest(faces: Faces) -> str:
    return "" if faces.weights is None else faces.weights.sha256
