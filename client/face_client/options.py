"""What a caller may say: the request parameters of detection, what holds when nothing is said, and what no number is.

The server is the home of the parameters' defaults and ranges. Only what the caller sets is sent.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple, TypedDict, Union

import numpy as np

from face_client.errors import InvalidInput
from face_client.tls import tls_from_environment

ParameterValue = Union[int, float, str, bool]

SELECTIONS = ("all", "largest", "probability", "largest_over_threshold", "center_weighted_size")


class DetectOptions(TypedDict, total=False):
    """Keyword arguments of `FaceClient.detect`; PARAMETERS says what each one does."""

    min_face_size: float
    threshold_pnet: float
    threshold_rnet: float
    threshold_onet: float
    factor: float
    max_faces: int
    max_candidates: int
    selection: str
    image_size: int
    margin: int
    align: bool
    rotations: bool
    clip: bool


class Parameter(NamedTuple):
    """One request parameter. type: of its value on the wire. text: one line of what it does. default, low, high: the
    server's, the limits inclusive; None: it has none."""

    type: type
    text: str
    default: ParameterValue
    low: float | None = None
    high: float | None = None

    @property
    def help(self) -> str:
        """One line, with the server's default."""
        return f"{self.text} ({self.default})"


PARAMETERS: Mapping[str, Parameter] = {
    "min_face_size": Parameter(
        float, "smallest face to look for, in pixels of the picture that is sent", 20, low=10, high=65_535
    ),
    "threshold_pnet": Parameter(float, "probability that a window needs in the first stage", 0.6, low=0.1, high=1),
    "threshold_rnet": Parameter(float, "probability that it needs in the second stage", 0.7, low=0, high=1),
    "threshold_onet": Parameter(float, "probability that a face needs in the last stage", 0.7, low=0, high=1),
    "factor": Parameter(
        float, "size of each level of the pyramid relative to the one before", 0.709, low=0.1, high=0.9
    ),
    "max_faces": Parameter(int, "at most this many faces; 0 for all", 0, low=0, high=100_000),
    "max_candidates": Parameter(
        int,
        "look closely at so many likely places only, for less time in crowds; 0 for all",
        0,
        low=0,
        high=10_000_000,
    ),
    "selection": Parameter(str, f"which faces, and their order: {', '.join(SELECTIONS)}", "all"),
    "image_size": Parameter(int, "side of a face crop in pixels", 160, low=16, high=1024),
    "margin": Parameter(int, "pixels added around a face in its crop", 0, low=0, high=1024),
    "align": Parameter(bool, "cut crops by the landmarks, upright, instead of by the box", False),
    "rotations": Parameter(bool, "find faces turned by 90, 180 and 270 degrees too, at four times the cost", False),
    "clip": Parameter(bool, "cut the boxes at the picture's border, which they may pass", False),
}


def of_one_face(options: DetectOptions) -> DetectOptions:
    """The options for the most prominent face of a picture: the largest, unless they say otherwise."""
    return {"selection": "largest", **options}


def request_parameters(options: Mapping[str, object]) -> dict[str, ParameterValue]:
    """The options as wire types: NumPy scalars become Python numbers.

    Raises TypeError for an unknown name, as for any keyword, and InvalidInput for a value of the wrong type.
    """
    return {name: _wire_value(name, value) for name, value in options.items()}


def _wire_value(name: str, value: object) -> ParameterValue:
    if name not in PARAMETERS:
        raise TypeError(f"unexpected keyword argument {name!r}; known are {', '.join(PARAMETERS)}")
    value = plain(value)
    wanted = PARAMETERS[name].type
    if wanted is str and isinstance(value, str):
        return value
    if wanted is int and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if wanted is float and isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    if wanted is bool and isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise InvalidInput(f"{name} is {value!r}; it must be of type {wanted.__name__}")


def plain(value: object) -> object:
    """The number in an array or a tensor that holds one, such as torch.tensor(0.7); other values as they are."""
    if isinstance(value, (Real, np.generic)) or not hasattr(value, "item") or getattr(value, "shape", None) != ():
        return value
    return value.item()


def check_at_least(name: str, value: object, low: int, whole: bool = False) -> None:
    """Raises InvalidInput for what is no finite number, no whole one where that is wanted, or is below `low`."""
    kind = Integral if whole else Real
    if not isinstance(value, kind) or isinstance(value, bool) or not low <= value < math.inf:  # type: ignore[operator]
        raise InvalidInput(f"{name} is {value!r}; it must be a {'whole ' if whole else ''}number, at least {low}")


def seconds(name: str, value: float | None) -> float:
    """A time limit as a number; None for no limit is infinity. Raises InvalidInput for what is neither."""
    if value is None:
        return math.inf
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise InvalidInput(f"{name} is {value!r}; it must be a number of seconds, at least 0, or None for no limit")
    return float(value)


def check_model(field: str, name: object) -> None:
    """Raises InvalidInput for what is no model's name."""
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"{field} is {name!r}; it must be the name of a model on the server")


URL_VARIABLE = "TRITON_FACES_URL"
"""The environment variable that has another url than the default one, in any form that `--url` takes."""

DEFAULT_URL = os.environ.get(URL_VARIABLE) or "127.0.0.1:8001"
DEFAULT_TLS = tls_from_environment(os.environ)
DEFAULT_TIMEOUT_S = 30.0
# 0.1 s and doubling: 2.3 s in all on average. Time enough for another of several servers to be asked, and for a
# model's dead process to be taken out of service.
DEFAULT_RETRIES = 5
DEFAULT_IN_FLIGHT = 16
