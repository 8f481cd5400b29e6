"""The MTCNN cascade as an I/O-free flow on NumPy arrays.

`detect` is a generator: it yields `Call(network, batch)` and is sent that network's outputs. It cannot tell
whether Triton, torch modules or a fake answers; `drive` runs it on any function that does.
"""

from face_cascade.calls import Call, Limits
from face_cascade.errors import CascadeError, InvalidInput
from face_cascade.flow import Detection, detect, drive
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
    "InvalidInput",
    "Limits",
    "Network",
    "detect",
    "drive",
]
