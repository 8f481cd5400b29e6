"""Request parameters of a detection: their defaults, their allowed ranges, how they are read; the cascade's errors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


class CascadeError(Exception):
    """Base of all errors of `face_cascade`: `InvalidInput`, with `TooManyCandidates`, and `WrongWeights`."""


class InvalidInput(CascadeError):
    """An image or a parameter that cannot be used: one sentence with field, value and allowed range."""


class TooManyCandidates(InvalidInput):
    """An image with more likely places for a face than can be looked at: nothing of it is answered."""


class WrongWeights(CascadeError):
    """Tensors that are not those of the compiled network: the first whose name or shape is another."""


SELECTIONS = ("all", "largest", "probability", "largest_over_threshold", "center_weighted_size")

_RANGES: dict[str, tuple[float, float]] = {
    # Below 10 px the pyramid enlarges the image and its cost grows with the square.
    "min_face_size": (10, 65_535),
    # Near 0 every cell is a candidate, millions in one picture.
    "threshold_pnet": (0.1, 1),
    "threshold_rnet": (0, 1),
    "threshold_onet": (0, 1),
    # Towards 1 the number of pyramid levels grows without bound.
    "factor": (0.1, 0.9),
    "max_faces": (0, 100_000),
    "max_candidates": (0, 10_000_000),
    "image_size": (16, 1024),
    "margin": (0, 1024),
}


@dataclass(frozen=True)
class DetectionParameters:
    """How to detect faces in one image. Sizes in pixels of the upright image, thresholds are probabilities.

    `max_faces` 0 keeps all faces (with another `selection` than `all`: one face). `image_size` and `margin`
    are the side of the face crops and the margin around the box, in pixels of the crop, as in facenet-pytorch.
    `align` cuts the crops by the landmarks instead of the box (see `crops.aligned_crops`). `rotations` looks for faces
    that are turned too (see `rotations`). `clip` cuts the boxes that are answered with at the image's border.
    `max_candidates`: the likeliest so many of PNet's candidates are looked at, which bounds the time of a crowd; 0
    looks at all.
    """

    min_face_size: float = 20
    threshold_pnet: float = 0.6
    threshold_rnet: float = 0.7
    threshold_onet: float = 0.7
    factor: float = 0.709
    max_faces: int = 0
    max_candidates: int = 0
    selection: str = "all"
    image_size: int = 160
    margin: int = 0
    align: bool = False
    rotations: bool = False
    clip: bool = False

    def __post_init__(self) -> None:
        for name, allowed in _RANGES.items():
            check_range(name, getattr(self, name), *allowed)
        if self.selection not in SELECTIONS:
            raise InvalidInput(f"selection is {shown(self.selection)}, must be one of {', '.join(SELECTIONS)}")
        if self.margin >= self.image_size:
            raise InvalidInput(f"margin is {self.margin}, must be less than image_size ({self.image_size})")

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "DetectionParameters":
        """Reads request parameters: see `read`."""
        (parameters,) = read(values, cls)
        return parameters


def read(values: Mapping[str, Any], *kinds: type[Any]) -> tuple[Any, ...]:
    """Request parameters of these kinds, dataclasses that share no name: numbers and booleans, or strings of them.

    Raises:
        InvalidInput: a name is unknown to all of them, or a value has the wrong type or is out of range.
    """
    types = [{field.name: field.type for field in fields(kind)} for kind in kinds]
    known = [name for of_kind in types for name in of_kind]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InvalidInput(f"parameter {shown(unknown[0])} is unknown, known are {', '.join(known)}")
    return tuple(
        kind(**{name: _READERS[of_kind[name]](name, value) for name, value in values.items() if name in of_kind})
        for kind, of_kind in zip(kinds, types, strict=True)
    )


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises InvalidInput."""
    if not low <= value <= high:
        raise InvalidInput(f"{name} is {shown(value)}, must be from {low:g} to {high:g}")


def _read_float(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InvalidInput(f"{name} is {shown(value)}, must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{name} is {shown(value)}, must be a number") from None
    if math.isnan(number):
        raise InvalidInput(f"{name} is nan, must be a number")
    return number


def _read_int(name: str, value: Any) -> int:
    number = _read_float(name, value)
    if not number.is_integer():
        raise InvalidInput(f"{name} is {shown(value)}, must be a whole number")
    return int(number)


def _read_str(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is {shown(value)}, must be a string")
    return value


def _read_bool(name: str, value: Any) -> bool:
    text = str(value).lower()
    if not isinstance(value, (bool, str)) or text not in ("true", "false"):
        raise InvalidInput(f"{name} is {shown(value)}, must be true or false")
    return text == "true"


_READERS: dict[Any, Any] = {float: _read_float, int: _read_int, str: _read_str, bool: _read_bool}


def shown(value: object) -> str:
    """The value as an error may show it: quoted where it is text, and never longer than a line."""
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
