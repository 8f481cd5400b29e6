"""The stages' parameters by their names in ipazc's mtcnn, as options of FaceClient.detect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face_client.drop_in import InvalidValue

# ipazc's name → ours, and ipazc's default where the server's is another.
_NAMES = {
    "min_face_size": "min_face_size",
    "scale_factor": "factor",
    "threshold_pnet": "threshold_pnet",
    "threshold_rnet": "threshold_rnet",
    "threshold_onet": "threshold_onet",
}
_DEFAULTS = {"threshold_onet": 0.8}

# Fixed in the server's cascade, at ipazc's defaults.
_FIXED = {"nms_pnet1": 0.5, "nms_pnet2": 0.7, "nms_rnet": 0.7, "nms_onet": 0.7}

# There it is a parameter that nothing reads.
_IGNORED = {"min_size"}


def detect_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options for FaceClient.detect. Raises TypeError for an unknown name, InvalidValue for another NMS."""
    unknown = given.keys() - _NAMES.keys() - _FIXED.keys() - _IGNORED
    if unknown:
        known = ", ".join([*_NAMES, *_FIXED, *sorted(_IGNORED)])
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}; the stages' parameters are {known}")
    for name, value in _FIXED.items():
        if given.get(name, value) != value:
            raise InvalidValue(f"{name} is {given[name]}; the server's cascade has {value}")
    return {_NAMES[name]: value for name, value in {**_DEFAULTS, **given}.items() if name in _NAMES}
