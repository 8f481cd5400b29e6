"""The MTCNN cascade as an I/O-free flow on NumPy arrays.

`detect` is a generator: it yields `Call(network, batch)` and is sent that network's outputs, or yields flows that
may run `Together`. It cannot tell whether Triton, torch modules or a fake answers, nor in how many threads;
`drive` runs it on any function that answers.
"""

from face_cascade.calls import Call, Flow, Limits, Together, drive
from face_cascade.errors import CascadeError, InvalidInput
from face_cascade.flow import Detection, detect
from face_cascade.networks import FACENET, ONET, PNET, RNET, Network
from face_cascade.parameters import DetectionParameters

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
    "detect",
    "drive",
]
