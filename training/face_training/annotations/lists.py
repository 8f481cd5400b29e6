"""Readers of the three published sets: WIDER FACE, the CNN facial points, CelebA. What their lists say, unchecked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_pictures.errors import InvalidInput
from face_tools.evaluation.wider_truth import ALL, read_truth
from face_training.errors import AnnotationError

WIDER_LIST = "wider_face_train_bbx_gt.txt"
POINTS_LIST = "trainImageList.txt"
CELEBA_LANDMARKS = "list_landmarks_celeba.txt"
CELEBA_BOXES = "list_bbox_celeba.txt"

_BOX, _POINTS = 4, 10


@dataclass(frozen=True, eq=False)
class Listed:
    """A picture as listed: boxes FLOAT64 [G,4] x1,y1,x2,y2; valid BOOL [G]; landmarks FLOAT64 [G,5,2], or None.

    folder, name: where it should be. complete: the list has every face of the picture.
    """

    folder: Path
    name: str
    boxes: NDArray[np.float64]
    valid: NDArray[np.bool_]
    landmarks: NDArray[np.float64] | None
    complete: bool


def read_wider(root: Path) -> Iterator[Listed]:
    """WIDER FACE: every picture of the training set. Faces marked invalid and faces without a size are not valid.

        WIDER/wider_face_split/wider_face_train_bbx_gt.txt
        WIDER/WIDER_train/images/0--Parade/0_Parade_marchingband_1_849.jpg

    Raises:
        AnnotationError: there is no list, or a line of it is not what it should be.
    """
    path = _find(root, WIDER_LIST, "wider_face_split", ": unpack wider_face_split.zip")
    try:
        truth = read_truth(path)
    except (InvalidInput, UnicodeDecodeError, OSError) as error:
        raise AnnotationError(str(error)) from error
    folder = root / "WIDER_train" / "images"
    for name, picture in truth.pictures.items():
        yield Listed(folder, name, picture.boxes, picture.counted[ALL], None, complete=True)


def read_facial_points(root: Path) -> Iterator[Listed]:
    """The lists of "Deep Convolutional Network Cascade for Facial Point Detection" (Sun et al. 2013).

        FACES/trainImageList.txt
        FACES/lfw_5590/Aaron_Eckhart_0001.jpg
        FACES/net_7876/0_0_0.jpg

    A line is a path (with backslashes in the published file), the box as left, right, top, bottom, and five points:
    left eye, right eye, nose, left and right mouth corner. One face of each picture; others in it are not annotated.

    Raises:
        AnnotationError: there is no list, or a line of it is not what it should be.
    """
    path = root / POINTS_LIST
    if not path.is_file():
        raise AnnotationError(f"there is no {POINTS_LIST} in {root}: unpack train.zip of the facial point set")
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            name, *words = line.split()
            wanted = f"a path and {_BOX + _POINTS} numbers are wanted, {{}} numbers are there"
            values = _numbers(words, _BOX + _POINTS, f"{path}, line {number}", wanted)
            left, right, top, bottom = values[:_BOX]
            yield _one_face(root, name.replace("\\", "/"), (left, top, right, bottom), values[_BOX:])


def read_celeba(root: Path) -> Iterator[Listed]:
    """CelebA "in the wild": landmarks and boxes in two lists, which begin with the number of pictures and a header.

        CELEBA/Anno/list_landmarks_celeba.txt, CELEBA/Anno/list_bbox_celeba.txt
        CELEBA/img_celeba/000001.jpg

    The aligned pictures will not do: all faces are at one place in them. One face of each picture; others in it are
    not annotated.

    Raises:
        AnnotationError: a list is missing, a line is not what it should be, or the lists name other pictures.
    """
    found = _celeba_rows(_find(root, CELEBA_BOXES, "Anno"), _BOX)
    points = _celeba_rows(_find(root, CELEBA_LANDMARKS, "Anno"), _POINTS)
    if found.keys() != points.keys():
        odd = sorted(found.keys() ^ points.keys())[0]
        raise AnnotationError(
            f"{CELEBA_BOXES} and {CELEBA_LANDMARKS} do not name the same pictures: {odd} is in one of them only"
        )
    places = (root / name for name in ("img_celeba", "Img/img_celeba"))
    folder = next((place for place in places if place.is_dir()), root)
    for name, (x, y, width, height) in found.items():
        yield _one_face(folder, name, (x, y, x + width, y + height), points[name])


def _celeba_rows(path: Path, columns: int) -> dict[str, NDArray[np.float64]]:
    """The numbers of each picture, by its name."""
    lines = _lines(path)
    rows = {}
    for number, line in enumerate(lines[2:], start=3):
        if line.strip():
            name, *words = line.split()
            wanted = f"{columns} numbers are wanted, {{}} are there"
            rows[name] = _numbers(words, columns, f"{path}, line {number}", wanted)
    if not lines or not lines[0].strip().isdecimal() or int(lines[0]) != len(rows):
        raise AnnotationError(f"{path} should begin with the number of its pictures, which is {len(rows)}")
    return rows


def _one_face(folder: Path, name: str, box: Sequence[float], points: NDArray[np.float64]) -> Listed:
    left, top, right, bottom = box
    valid = np.array([left < right and top < bottom])
    return Listed(folder, name, np.array([box]), valid, points.reshape(1, 5, 2), complete=False)


def _numbers(words: Sequence[str], count: int, where: str, wanted: str) -> NDArray[np.float64]:
    """The words as so many numbers. wanted: what is said of another number of them."""
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise AnnotationError(f"{where}: {error}") from error
    if len(values) != count:
        raise AnnotationError(f"{where}: {wanted.format(len(values))}")
    return values


def _find(root: Path, name: str, folder: str, hint: str = "") -> Path:
    """A list in `folder` of the set, or in the set itself."""
    for place in (root / folder, root):
        if (place / name).is_file():
            return place / name
    raise AnnotationError(f"there is no {name} in {root} nor in its {folder}{hint}")


def _lines(path: Path) -> list[str]:
    """The lines of a list. Bytes that are no UTF-8 stay as they are: a file may be called anything."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise AnnotationError(f"cannot read {path}: {error.strerror}") from error
