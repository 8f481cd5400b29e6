"""The index of a work folder: from lists to the pictures that can be used, and a count of what cannot and why.

`pictures.jsonl` has one annotated picture a line, `report.json` the counts.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_pictures.decoding import MAX_PIXELS, decode_image
from face_pictures.errors import InvalidImage, TooManyPixels
from face_pictures.formats import open_image, orientation, reading
from face_training.annotations.lists import Listed
from face_training.annotations.pictures import AnnotatedPicture, boxes, no_landmarks
from face_training.errors import AnnotationError
from face_training.workplace import write_text

INDEX = "pictures.jsonl"
REPORT = "report.json"

SMALLEST_FACE = 20
"""Pixels of a face's longer side, as the guides have it: smaller ones teach PNet noise."""

_EXAMPLES = 3
_AT_A_TIME = 64
_UPRIGHT = 1


@dataclass
class Report:
    """Counts of one set. skipped: pictures, ignored: faces, by reason; examples: a few names for each reason."""

    name: str
    pictures: int = 0
    faces: int = 0
    landmarks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values. (`asdict` cannot copy a Counter.)"""
        return {**self.__dict__, "skipped": dict(self.skipped), "ignored": dict(self.ignored)}

    def note(self, counts: Counter[str], reason: str, name: str) -> None:
        """Counts in `skipped` or `ignored`, and keeps the first few names of a reason."""
        counts[reason] += 1
        names = self.examples.setdefault(reason, [])
        if len(names) < _EXAMPLES and name not in names:
            names.append(name)


def checked(listed: Iterable[Listed], report: Report) -> Iterator[AnnotatedPicture]:
    """The pictures that can be read, with their faces sorted into usable and ignored; counts into the report.

    Each picture is decoded, by as many threads as there are cores: a download that broke off has a whole header.
    """
    for entry, size in _with_sizes(iter(listed)):
        if isinstance(size, str):
            report.note(report.skipped, size, entry.name)
            continue
        picture = _sorted(entry, *size, report)
        if picture is not None:
            report.pictures += 1
            report.faces += len(picture.faces)
            report.landmarks += int(np.isfinite(picture.landmarks).all(axis=(1, 2)).sum())
            yield picture


def _with_sizes(listed: Iterator[Listed]) -> Iterator[tuple[Listed, tuple[int, int] | str]]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # Some at a time: whoever counts what is taken out of `listed` sees how far it is.
        while entries := list(islice(listed, _AT_A_TIME)):
            yield from zip(entries, pool.map(_size, entries), strict=True)


def _size(entry: Listed) -> tuple[int, int] | str:
    """Width and height of the picture, or why it cannot be used."""
    try:
        data = (entry.folder / entry.name).read_bytes()
        with reading("the file"):
            turned = orientation(open_image(data), data) != _UPRIGHT
        if turned:
            return "turned by its EXIF data, unlike its faces"
        height, width = decode_image(data, MAX_PIXELS).shape[:2]
        return width, height
    except FileNotFoundError:
        return "the file is missing"
    except TooManyPixels:
        return f"more than {MAX_PIXELS} pixels"
    except (InvalidImage, OSError):
        return "the file is no picture that can be read, or is cut short"


def _sorted(entry: Listed, width: int, height: int, report: Report) -> AnnotatedPicture | None:
    """The picture with its usable and its ignored faces; None, and counted, where it has nothing to learn from."""
    reasons = [_why_not(box, valid, width, height) for box, valid in zip(entry.boxes, entry.valid, strict=True)]
    for reason in filter(None, reasons):
        report.note(report.ignored, reason, entry.name)
    usable = np.array([reason is None for reason in reasons], bool)
    if not usable.any() and not entry.complete:
        report.note(report.skipped, "no usable face", entry.name)
        return None
    landmarks = no_landmarks(len(reasons)) if entry.landmarks is None else entry.landmarks.astype(np.float32)
    # A face without a size covers nothing, and of one without an end nobody knows what it covers.
    covering = (entry.boxes[:, 2:] > entry.boxes[:, :2]).all(axis=1) & np.isfinite(boxes(entry.boxes)).all(axis=1)
    return AnnotatedPicture(
        entry.folder / entry.name,
        width,
        height,
        boxes(entry.boxes[usable]),
        landmarks[usable],
        boxes(entry.boxes[~usable & covering]),
        entry.complete,
    )


def _why_not(box: NDArray[np.float64], valid: np.bool_, width: int, height: int) -> str | None:
    """Why nothing is learned from a face; None if something is."""
    x1, y1, x2, y2 = box
    if not (x2 > x1 and y2 > y1):
        return "no size"
    if not valid:
        return "marked invalid"
    if max(x2 - x1, y2 - y1) < SMALLEST_FACE:
        return f"smaller than {SMALLEST_FACE} pixels"
    if not (0 <= (x1 + x2) / 2 <= width and 0 <= (y1 + y2) / 2 <= height):
        return "outside of the picture"
    return None


def write_index(work: Path, pictures: Iterable[AnnotatedPicture], reports: Sequence[Report]) -> None:
    """Writes both files, each whole or not at all. Raises WriteError."""
    lines = [json.dumps(picture.as_json()) for picture in pictures]
    write_text(work / INDEX, "".join(f"{line}\n" for line in lines))
    # After the pictures: a generator has counted by now.
    write_text(work / REPORT, json.dumps([report.as_json() for report in reports], indent=2) + "\n")


def read_index(work: Path) -> list[AnnotatedPicture]:
    """The pictures, in the order in which they were written.

    Raises:
        AnnotationError: `faces train prepare` has not been here, or a line is not what it wrote.
    """
    path = work / INDEX
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise AnnotationError(f"there is no {path}: run `faces train prepare {work}` first") from error
    except OSError as error:
        raise AnnotationError(f"cannot read {path}: {error.strerror}") from error
    return [_picture(line, f"{path}, line {number}", work) for number, line in enumerate(lines, start=1)]


def _picture(line: bytes, where: str, work: Path) -> AnnotatedPicture:
    try:
        return AnnotatedPicture.from_json(json.loads(line))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{where} is damaged: run `faces train prepare {work}` again") from error
