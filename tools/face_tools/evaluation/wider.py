"""Detections for WIDER FACE's pictures, and their average precision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face_client.faces import Faces
from face_client.options import DetectOptions
from face_tools.evaluation.average_precision import Detections, PrecisionRecall, judge, normalized, precision_recall
from face_tools.evaluation.results import Record, ResultsFile
from face_tools.evaluation.wider_truth import Truth

if TYPE_CHECKING:
    from face_client import FaceClient
    from face_client.faces import BatchAnswer


IMAGES_FOLDER = "WIDER_val/images"

# Two servers with the same networks differ by rounding; others move the edges of a box by more.
_SAME_EDGE_PX = 1.0


@dataclass(frozen=True)
class DetectionTask:
    """See `results.Task`. Keeps what `faces detect --json` prints."""

    client: FaceClient
    options: DetectOptions
    in_flight: int
    name: str = "wider"

    keys = ("faces", "candidates_dropped")

    @property
    def models(self) -> Sequence[str]:
        return (self.client.model,)

    def settings(self) -> Record:
        """What the results depend on."""
        return {"set": self.name, "model": self.client.model, "parameters": dict(self.options)}

    def check(self) -> None:
        """Any networks may be measured."""

    def answers(self, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        return self.client.detect_each(paths, in_flight=self.in_flight, **self.options)

    def record(self, _path: Path, faces: Faces) -> Record:
        return {**faces.to_dict(), "candidates_dropped": faces.candidates_dropped}

    def agrees(self, stored: Record, now: Record) -> bool | None:
        """By the largest face, which comes first."""
        if not stored["faces"]:
            return None
        if not now["faces"]:
            return False
        edges = np.subtract(stored["faces"][0]["box"], now["faces"][0]["box"])
        return bool(np.abs(edges).max() <= _SAME_EDGE_PX)


@dataclass(frozen=True)
class WiderReport:
    """curves: by subset. pictures: that were measured. truncated: of these, where the server's limit of
    candidates cut some off."""

    curves: dict[str, PrecisionRecall]
    pictures: int
    detections: int
    truncated: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "subsets": {name: _summary(curve) for name, curve in self.curves.items()},
            "pictures": self.pictures,
            "detections": self.detections,
            "pictures_with_dropped_candidates": self.truncated,
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A line of text for each subset: its name, faces, average precision, recall and precision."""
        for name, curve in self.curves.items():
            subset = _summary(curve)
            values = (subset[key] for key in ("average_precision", "recall", "precision"))
            yield name, str(curve.faces), *("-" if value is None else f"{value:.4f}" for value in values)


def measure(truth: Truth, results: ResultsFile, names: Sequence[str]) -> WiderReport:
    """Hold the results of the pictures `names` against the annotation; those without a result are left out."""
    known = [name for name in names if name in results]
    detections = normalized({name: detections_of(results[name]) for name in known})
    curves = {
        subset: precision_recall(
            judge(detections[name], truth.pictures[name].boxes, truth.pictures[name].counted[subset]) for name in known
        )
        for subset in truth.subsets
    }
    return WiderReport(
        curves=curves,
        pictures=len(known),
        detections=sum(len(found.scores) for found in detections.values()),
        truncated=sum(results[name]["candidates_dropped"] > 0 for name in known),
    )


def detections_of(record: Record) -> Detections:
    """What a record of `DetectionTask` holds."""
    faces = record["faces"]
    return Detections(
        boxes=np.array([face["box"] for face in faces], np.float64).reshape(-1, 4),
        scores=np.array([face["probability"] for face in faces], np.float64),
    )


def _summary(curve: PrecisionRecall) -> dict[str, float | None]:
    """Recall and precision of all detections, the lowest threshold; None where there is no face to find."""
    return {
        "average_precision": curve.average_precision if curve.faces else None,
        "faces": curve.faces,
        "recall": float(curve.recall[-1]) if curve.faces else None,
        "precision": float(curve.precision[-1]) if curve.faces else None,
    }
