"""The MTCNN cascade as a flow without I/O.

`detect` is a generator: it yields `Call(network, batch)` and is sent that network's outputs, or yields flows that
may run `Together`. It cannot tell whether Triton, torch modules or a fake answers, nor in how many threads;
`drive` runs it on any function that answers. Nor can it tell what holds the pixels and maps: see `arrays`.

Names are imported when first used: a process that only asks the networks needs no compiled kernels (70 MB).
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face_cascade.calls import Call, Flow, Limits, Together, drive, interruptible
    from face_cascade.flow import Detection, detect
    from face_cascade.networks import FACENET, ONET, PNET, RNET, Network
    from face_cascade.parameters import (
        CascadeError,
        DetectionParameters,
        InvalidInput,
        TooManyCandidates,
        WrongWeights,
    )

_HOMES = {
    "FACENET": "networks",
    "ONET": "networks",
    "PNET": "networks",
    "RNET": "networks",
    "Call": "calls",
    "CascadeError": "parameters",
    "Detection": "flow",
    "DetectionParameters": "parameters",
    "Flow": "calls",
    "InvalidInput": "parameters",
    "Limits": "calls",
    "Network": "networks",
    "Together": "calls",
    "TooManyCandidates": "parameters",
    "WrongWeights": "parameters",
    "detect": "flow",
    "drive": "calls",
    "interruptible": "calls",
}

__all__ = [
    "FACENET",
    "ONET",
    "PNET",
    "RNET",
    "Call",
    "CascadeError",
    "Detection",
    "DetectionParameters",
    "Flow",
    "InvalidInput",
    "Limits",
    "Network",
    "Together",
    "TooManyCandidates",
    "WrongWeights",
    "detect",
    "drive",
    "interruptible",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
