"""CelebA "in the wild": landmarks and boxes in two lists.

    CELEBA/Anno/list_landmarks_celeba.txt, CELEBA/Anno/list_bbox_celeba.txt
    CELEBA/img_celeba/000001.jpg

Both lists begin with the number of pictures and a line of column names. The aligned pictures will not do: all faces are
at one place in them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_training.annotations.pictures import Listed, lines_of
from face_training.errors import AnnotationError

LANDMARKS = "list_landmarks_celeba.txt"
BOXES = "list_bbox_celeba.txt"
_LISTS = ("Anno", "")
_PICTURES = ("img_celeba", "Img/img_celeba", "")


def read(root: Path) -> Iterator[Listed]:
    """One face of each picture; others in it are not annotated.

    Raises:
        AnnotationError: a list is missing, a line is not what it should be, or the lists name other pictures.
    """
    boxes, points = _rows(_find(root, BOXES), 4), _rows(_find(root, LANDMARKS), 10)
    if boxes.keys() != points.keys():
        odd = sorted(boxes.keys() ^ points.keys())[0]
        raise AnnotationError(f"{BOXES} and {LANDMARKS} do not name the same pictures: {odd} is in one of them only")
    folder = next((root / name for name in _PICTURES if (root / name).is_dir()), root)
    for name, (x, y, width, height) in boxes.items():
        box = np.array([[x, y, x + width, y + height]])
        valid = np.array([width > 0 and height > 0])
        yield Listed(folder, name, box, valid, points[name].reshape(1, 5, 2), complete=False)


def _find(root: Path, name: str) -> Path:
    for folder in _LISTS:
        if (root / folder / name).is_file():
            return root / folder / name
    raise AnnotationError(f"there is no {name} in {root} nor in its Anno")


def _rows(path: Path, columns: int) -> dict[str, NDArray[np.float64]]:
    """The numbers of each picture, by its name."""
    lines = lines_of(path)
    rows = {}
    for number, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        name, *values = line.split()
        try:
            rows[name] = np.array([float(value) for value in values])
        except ValueError as error:
            raise AnnotationError(f"{path}, line {number}: {error}") from error
        if len(values) != columns:
            raise AnnotationError(f"{path}, line {number}: {columns} numbers are wanted, {len(values)} are there")
    if not lines or not lines[0].strip().isdecimal() or int(lines[0]) != len(rows):
        raise AnnotationError(f"{path} should begin with the number of its pictures, which is {len(rows)}")
    return rows
