"""From lists to pictures that can be used, and a count of what cannot and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from face_training.annotations.listed import Listed
from face_training.annotations.picture import AnnotatedPicture, boxes, no_landmarks

SMALLEST_FACE = 20
"""Pixels of a face's longer side, as the guides have it: smaller ones teach PNet noise."""

_EXAMPLES = 3
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

    def note(self, reason: str, name: str) -> None:
        """Keeps the first few names of a reason."""
        names = self.examples.setdefault(reason, [])
        if len(names) < _EXAMPLES and name not in names:
            names.append(name)


def checked(listed: Iterable[Listed], report: Report) -> Iterator[AnnotatedPicture]:
    """The pictures that are there, with their faces sorted into usable and ignored; counts into the report."""
    for entry in listed:
        picture = _checked(entry, report)
        if picture is not None:
            report.pictures += 1
            report.faces += len(picture.faces)
            report.landmarks += int(np.isfinite(picture.landmarks).all(axis=(1, 2)).sum())
            yield picture


def _checked(entry: Listed, report: Report) -> AnnotatedPicture | None:
    path = entry.folder / entry.name
    try:
        with Image.open(path) as image:  # reads the header only
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) != _UPRIGHT
    except FileNotFoundError:
        return _skipped(report, "the file is missing", entry.name)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return _skipped(report, "the file is no picture that can be read", entry.name)
    if turned:
        return _skipped(report, "turned by its EXIF data, unlike its faces", entry.name)
    reasons = [_why_not(box, valid, width, height) for box, valid in zip(entry.boxes, entry.valid, strict=True)]
    for reason in filter(None, reasons):
        report.ignored[reason] += 1
        report.note(reason, entry.name)
    usable = np.array([reason is None for reason in reasons], bool)
    if not usable.any() and not entry.complete:
        return _skipped(report, "no usable face", entry.name)
    landmarks = no_landmarks(len(reasons)) if entry.landmarks is None else entry.landmarks.astype(np.float32)
    # A face without a size covers nothing.
    sized = (entry.boxes[:, 2:] > entry.boxes[:, :2]).all(axis=1)
    ignored = boxes(entry.boxes[~usable & sized])
    return AnnotatedPicture(path, width, height, boxes(entry.boxes[usable]), landmarks[usable], ignored, entry.complete)


def _skipped(report: Report, reason: str, name: str) -> AnnotatedPicture | None:
    report.skipped[reason] += 1
    report.note(reason, name)
    return None


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
