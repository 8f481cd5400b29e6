"""Annotated pictures: what a list says of each, the mirror image of one, and the check that finds those of use."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

# An annotated picture, and the mirror image of one.


Float32 = NDArray[np.float32]

MIRRORED_POINTS = [1, 0, 2, 4, 3]
"""Left and right change places: eyes, nose, corners of the mouth."""


@dataclass(frozen=True, eq=False)
class AnnotatedPicture:
    """Faces of one picture, in pixels of it, origin top left.

    faces FP32 [G,4] x1,y1,x2,y2 with x2 = x1 + width; landmarks FP32 [G,5,2], NaN where a face has none: left eye,
    right eye, nose, left and right mouth corner as the viewer sees them. ignored FP32 [I,4]: faces to learn nothing
    from, too small or marked invalid. complete: every face is annotated, so that the rest is no face.
    """

    path: Path
    width: int
    height: int
    faces: Float32
    landmarks: Float32
    ignored: Float32 = field(default_factory=lambda: np.empty((0, 4), np.float32))
    complete: bool = True

    def mirrored(self) -> "AnnotatedPicture":
        """The annotation of the picture with left and right exchanged."""
        points = self.landmarks[:, MIRRORED_POINTS].copy()
        points[..., 0] = self.width - points[..., 0]
        return AnnotatedPicture(
            self.path,
            self.width,
            self.height,
            _mirrored_boxes(self.faces, self.width),
            points,
            _mirrored_boxes(self.ignored, self.width),
            self.complete,
        )

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads; NaN landmarks become null."""
        return {
            "path": str(self.path),
            "width": self.width,
            "height": self.height,
            "faces": self.faces.tolist(),
            "landmarks": [None if np.isnan(points).any() else points.tolist() for points in self.landmarks],
            "ignored": self.ignored.tolist(),
            "complete": self.complete,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "AnnotatedPicture":
        """Raises KeyError, TypeError or ValueError where something is missing."""
        points = [no_landmarks(1)[0] if p is None else p for p in values["landmarks"]]
        return cls(
            Path(values["path"]),
            int(values["width"]),
            int(values["height"]),
            boxes(values["faces"]),
            np.array(points, np.float32).reshape(-1, 5, 2),
            boxes(values["ignored"]),
            bool(values["complete"]),
        )


def boxes(values: Any) -> Float32:
    """FP32 [N,4], also of nothing."""
    return np.array(values, np.float32).reshape(-1, 4)


def no_landmarks(count: int) -> Float32:
    """FP32 [N,5,2] of NaN."""
    return np.full((count, 5, 2), np.nan, np.float32)


def _mirrored_boxes(found: Float32, width: int) -> Float32:
    return np.stack([width - found[:, 2], found[:, 1], width - found[:, 0], found[:, 3]], axis=1)


# What a reader gives: one entry a picture as its list has it, before anybody looked at the picture.


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


def lines_of(path: Path) -> list[str]:
    """The lines of a list. Bytes that are no UTF-8 stay as they are: a file may be called anything."""
    return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()


# From lists to pictures that can be used, and a count of what cannot and why.


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
