"""Whether a face is good enough to be enrolled: numbers of its picture, and the limits that they must keep.

What a network cannot see in a face it makes up: one blurred or dark face that is enrolled is like many people.
The numbers need no network. How the limits were chosen: docs/galleries.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.faces import Face

_DETAIL = 32
"""Pixels to which a face is shrunk before its sharpness is measured: no face that is large enough has fewer, so that
the measure is the same whatever the crop was enlarged from."""

_AROUND = 0.15
"""Of a crop's side, at each edge: hair and background more than face."""

_BURNT = 250
"""Greys above this are white."""

_NOSE = 0.4
"""How far the nose stands out of the plane of eyes and mouth, in distances from the eyes to the mouth."""

_NOSE_BELOW = 0.6
"""Where it is between eyes (0) and mouth (1) in a face that looks straight ahead."""


@dataclass(frozen=True)
class Quality:
    """Of one face.

    size: the shorter side of its box, in pixels of the picture. eyes: the distance between the eyes, likewise.
    probability: that it is a face at all. yaw, pitch, roll: in degrees, how far it is turned to the side, up (down is
    negative) and out of the upright; from five landmarks, so only about right.
    Of the crop, None without one: sharpness: of the finest detail, in shares of the contrast (see `_sharpness`).
    brightness: of its brightest parts, 0 to 255: also a dark skin has lights on it, unless it is in the dark.
    burnt: the share that is white. contrast: how far dark and bright parts are apart, 0 to 255.
    """

    size: float
    eyes: float
    probability: float
    yaw: float
    pitch: float
    roll: float
    sharpness: float | None = None
    brightness: float | None = None
    burnt: float | None = None
    contrast: float | None = None

    @classmethod
    def of(cls, face: Face) -> Quality:
        """From its box, its landmarks and its crop."""
        x1, y1, x2, y2 = (float(value) for value in face.box)
        points = np.array(face.landmarks, np.float64)
        own = (min(abs(x2 - x1), abs(y2 - y1)), float(np.hypot(*(points[1] - points[0]))), face.probability)
        turned = _pose(points, face.angle or 0)
        if face.crop is None:
            return cls(*own, *turned)
        grey = np.asarray(Image.fromarray(face.crop).convert("L"))
        return cls(*own, *turned, _sharpness(grey), *_exposure(_inner(grey).astype(np.float64)))


def _pose(points: NDArray[np.float64], angle: int) -> tuple[float, float, float]:
    """yaw, pitch and roll by the landmarks [5, 2]; angle: by which the whole face lies turned clockwise.

    The line from the eyes to the mouth keeps its length when a head turns to the side; the nose, in front of it, moves
    to the side. Likewise it moves towards the eyes where the head is raised.
    """
    left_eye, right_eye, nose, mouth = points[0], points[1], points[2], points[3:].mean(axis=0)
    between = (left_eye + right_eye) / 2
    across = right_eye - left_eye
    roll = (math.degrees(math.atan2(across[1], across[0])) - angle + 180) % 360 - 180
    down = mouth - between
    length = float(np.hypot(*down)) or 1.0
    ahead = nose - between
    aside = float(down[1] * ahead[0] - down[0] * ahead[1]) / length**2
    below = float(down @ ahead) / length**2
    yaw = math.degrees(math.asin(max(-1.0, min(1.0, aside / _NOSE))))
    return yaw, math.degrees(math.atan((_NOSE_BELOW - below) / _NOSE)), roll


def _inner(grey: NDArray[Any]) -> NDArray[Any]:
    edge = round(_AROUND * len(grey))
    return grey[edge : len(grey) - edge, edge : len(grey) - edge]


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """How much of a face's structure is at its finest scale, a 32th of its width: the spread of the Laplacian in
    shares of the spread of the greys.

    Neither contrast nor the size of the face in its picture plays a part, as long as that is 32 pixels or more.
    """
    small = np.asarray(Image.fromarray(grey).resize((_DETAIL, _DETAIL), Image.Resampling.BOX), np.float64)
    inner = _inner(small)
    centre = inner[1:-1, 1:-1]
    laplacian = inner[:-2, 1:-1] + inner[2:, 1:-1] + inner[1:-1, :-2] + inner[1:-1, 2:] - 4 * centre
    # A crop of one grey shows nothing.
    return float(laplacian.std() / max(centre.std(), 1.0))


def _exposure(grey: NDArray[np.float64]) -> tuple[float, float, float]:
    """brightness, burnt, contrast"""
    dark, bright = np.percentile(grey, (5, 95))
    return float(bright), float((grey > _BURNT).mean()), float(bright - dark)


class Limit(NamedTuple):
    """One limit of a gate. measure: of `Quality`; its size counts, whatever its sign. name: of `Gate`. is_least:
    whether the measure must be that or more, rather than that or less. what: it is, in a sentence before the number.
    unit: behind the number. digits: behind its point. help: for people."""

    measure: str
    name: str
    is_least: bool
    what: str
    unit: str
    digits: int
    help: str


LIMITS = (
    Limit("size", "min_size", True, "it is", " pixels large", 0, "the shorter side of its box, in pixels"),
    Limit("eyes", "min_eyes", True, "its eyes are", " pixels apart", 0, "pixels between the eyes"),
    Limit("sharpness", "min_sharpness", True, "its sharpness is", "", 2, "how much fine detail there is"),
    Limit("brightness", "min_brightness", True, "its brightest parts are", " of 255", 0, "its brightest parts, of 255"),
    Limit("burnt", "max_burnt", False, "the share of it that is white is", "", 2, "the share that is burnt out"),
    Limit("contrast", "min_contrast", True, "its contrast is", " of 255", 0, "between dark and bright parts, of 255"),
    Limit("yaw", "max_yaw", False, "it is turned to the side by", " degrees", 0, "degrees turned to the side"),
    Limit("pitch", "max_pitch", False, "it is turned up or down by", " degrees", 0, "degrees turned up or down"),
    Limit("roll", "max_roll", False, "it leans by", " degrees", 0, "degrees that it leans to a shoulder"),
    Limit("probability", "min_probability", True, "its probability is", "", 3, "probability that it is a face"),
)


@dataclass(frozen=True)
class Gate:
    """The limits of enrolment, see `LIMITS` and `Quality`."""

    min_size: float = 40.0
    min_eyes: float = 16.0
    min_sharpness: float = 0.4
    min_brightness: float = 60.0
    max_burnt: float = 0.3
    min_contrast: float = 25.0
    max_yaw: float = 40.0
    max_pitch: float = 35.0
    max_roll: float = 30.0
    min_probability: float = 0.9

    def refusals(self, quality: Quality) -> list[str]:
        """Why a face is not good enough: a clause for each limit that it does not keep, with both numbers."""
        found = []
        for limit in LIMITS:
            value, bound = getattr(quality, limit.measure), getattr(self, limit.name)
            # Without a crop it is not known.
            if value is None or (abs(value) >= bound if limit.is_least else abs(value) <= bound):
                continue
            number = f"{abs(value):.{limit.digits}f}"
            found.append(
                f"{limit.what} {number}{limit.unit}, and should be {bound:g} or {'more' if limit.is_least else 'less'}"
            )
        return found


DEFAULT_GATE = Gate()
