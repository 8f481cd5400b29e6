"""The annotation of WIDER FACE's validation set, from the files of its evaluation tools or the plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from face_client.errors import InvalidInput

SUBSETS = ("easy", "medium", "hard")
ALL = "all"
"""The only subset that the text has: every face that is not marked invalid."""

BOXES_FILE = "wider_face_val.mat"
TEXT_FILE = "wider_face_val_bbx_gt.txt"

_FOLDERS = ("ground_truth", "eval_tools/ground_truth", "", "wider_face_split")
_TEXT_COLUMNS = 10
_INVALID = 7


@dataclass(frozen=True)
class PictureTruth:
    """boxes: float64 [G, 4], x1, y1, x2, y2 with x2 = x + width. counted: of each subset, which faces, bool [G]."""

    boxes: NDArray[np.float64]
    counted: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Truth:
    """pictures: by "event/file.jpg". subsets: their names. source: the file or folder that was read."""

    pictures: Mapping[str, PictureTruth]
    subsets: tuple[str, ...]
    source: Path


def find_truth(data: Path) -> Path:
    """What to read below the folder of the set: the folder with the four .mat files, else the text.

    Raises InvalidInput where neither is there.
    """
    for folder in _FOLDERS:
        if all((data / folder / name).is_file() for name in (BOXES_FILE, *map(_subset_file, SUBSETS))):
            return data / folder
    for folder in _FOLDERS:
        if (data / folder / TEXT_FILE).is_file():
            return data / folder / TEXT_FILE
    raise InvalidInput(
        f"no ground truth in {data}: neither {BOXES_FILE} with wider_easy_val.mat, wider_medium_val.mat and "
        f"wider_hard_val.mat (in ground_truth/), nor {TEXT_FILE} (in wider_face_split/)"
    )


def read_truth(source: Path) -> Truth:
    """The annotation in a folder of .mat files, or in a text file.

    Raises InvalidInput where a file is not what its name says, OSError where it cannot be read.
    """
    if source.is_dir():
        return Truth(dict(_from_mat(source)), SUBSETS, source)
    return Truth(dict(_from_text(source)), (ALL,), source)


def _subset_file(subset: str) -> str:
    return f"wider_{subset}_val.mat"


def _from_mat(folder: Path) -> Iterator[tuple[str, PictureTruth]]:
    """Cell arrays {events, 1} of cell arrays {pictures, 1}: names, boxes [G, 4] as x, y, width, height, and
    for each subset the numbers of its faces, from 1."""
    truth = _load(folder / BOXES_FILE, "event_list", "file_list", "face_bbx_list")
    subsets = {name: _load(folder / _subset_file(name), "gt_list")["gt_list"] for name in SUBSETS}
    try:
        for i, event in enumerate(truth["event_list"].ravel()):
            files, boxes = truth["file_list"].ravel()[i].ravel(), truth["face_bbx_list"].ravel()[i].ravel()
            counted = {name: cells.ravel()[i].ravel() for name, cells in subsets.items()}
            for j, file in enumerate(files):
                faces = _corners(boxes[j])
                masks = {name: _mask(numbers[j], len(faces)) for name, numbers in counted.items()}
                yield f"{event.item()}/{file.item()}.jpg", PictureTruth(faces, masks)
    except (IndexError, AttributeError, ValueError) as error:
        raise InvalidInput(f"the ground truth in {folder} does not fit together: {error}") from error


def _load(path: Path, *names: str) -> dict[str, Any]:
    try:
        contents: dict[str, Any] = loadmat(path, variable_names=names)
    except (MatReadError, ValueError, TypeError, NotImplementedError) as error:
        raise InvalidInput(f"{path} is no MATLAB file that can be read: {error}") from error
    missing = [name for name in names if name not in contents]
    if missing:
        raise InvalidInput(f"{path} has no {', '.join(missing)}")
    return contents


def _corners(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """x, y, width, height [G, 4] as x1, y1, x2, y2; empty cells have any shape."""
    boxes = boxes.reshape(-1, 4).astype(np.float64)
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def _mask(numbers: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """bool [count], true where a number, from 1, names the face. Raises IndexError for others."""
    places = numbers.ravel().astype(np.int64) - 1
    if (places < 0).any():
        raise IndexError("face number 0, where the first is 1")
    mask = np.zeros(count, np.bool_)
    mask[places] = True
    return mask


def _from_text(path: Path) -> Iterator[tuple[str, PictureTruth]]:
    """A picture's name, the number of its faces, and a line a face: x, y, width, height and six attributes.

    A picture without a face has one line of zeros all the same; lists that others write may lack it.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    at = 0
    while at < len(lines):
        name, number = lines[at], at + 1
        at += 1
        if not name.strip():
            continue
        try:
            count = int(lines[at])
            if count < 0:
                raise ValueError(f"{count} faces")
            rows = [[int(value) for value in line.split()] for line in lines[at + 1 : at + 1 + count]]
            table = np.array(rows, np.float64).reshape(count, _TEXT_COLUMNS)
        except (IndexError, ValueError) as error:
            raise InvalidInput(f"{path}, line {number}: what follows {name!r} is no list of faces") from error
        at += 1 + count
        if count == 0 and at < len(lines) and lines[at].split() == ["0"] * _TEXT_COLUMNS:
            at += 1
        valid = (table[:, _INVALID] == 0) & (table[:, 2:4] > 0).all(axis=1)
        yield name.strip(), PictureTruth(_corners(table[:, :4]), {ALL: valid})
