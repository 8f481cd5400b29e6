"""The lists of "Deep Convolutional Network Cascade for Facial Point Detection" (Sun et al. 2013).

    FACES/trainImageList.txt
    FACES/lfw_5590/Aaron_Eckhart_0001.jpg
    FACES/net_7876/0_0_0.jpg

A line is a path (with backslashes in the published file), the box as left, right, top, bottom, and five points:
left eye, right eye, nose, left and right mouth corner.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from face_training.annotations.pictures import Listed, lines_of
from face_training.errors import AnnotationError

LIST = "trainImageList.txt"
_NUMBERS = 14


def read(root: Path) -> Iterator[Listed]:
    """One face of each picture; others in it are not annotated.

    Raises:
        AnnotationError: there is no list, or a line of it is not what it should be.
    """
    path = root / LIST
    if not path.is_file():
        raise AnnotationError(f"there is no {LIST} in {root}: unpack train.zip of the facial point set")
    for number, line in enumerate(lines_of(path), start=1):
        if line.strip():
            yield _listed(root, line, f"{path}, line {number}")


def _listed(root: Path, line: str, where: str) -> Listed:
    name, *rest = line.split()
    try:
        values = np.array([float(value) for value in rest])
    except ValueError as error:
        raise AnnotationError(f"{where}: {error}") from error
    if len(values) != _NUMBERS:
        raise AnnotationError(f"{where}: a path and {_NUMBERS} numbers are wanted, {len(values)} numbers are there")
    left, right, top, bottom = values[:4]
    box = np.array([[left, top, right, bottom]])
    valid = np.array([left < right and top < bottom])
    return Listed(root, name.replace("\\", "/"), box, valid, values[4:].reshape(1, 5, 2), complete=False)
