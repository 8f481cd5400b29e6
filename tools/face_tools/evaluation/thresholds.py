"""Precision and recall by threshold, on pictures of one's own with the faces marked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_client.errors import InvalidInput
from face_client.options import DetectOptions
from face_tools.evaluation.average_precision import Bools, Floats, judge
from face_tools.evaluation.results import Record, ResultsFile
from face_tools.evaluation.wider import detections_of
from face_tools.evaluation.wider_truth import ALL, PictureTruth, Truth, read_truth

OPTIONS = DetectOptions(threshold_onet=0.1)
"""What is unlikely comes too. The last stage lets the likeliest of overlapping faces stand, so that those of at least
p are what a request with `threshold_onet` p gets."""

THRESHOLDS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def read_labels(path: Path) -> Truth:
    """The faces marked in a file of JSON lines, as `faces detect --json` prints them, or in WIDER FACE's text (`.txt`).
    A picture that failed there is left out.

    Raises InvalidInput where a line is no such thing, OSError where the file cannot be read.
    """
    if path.suffix.lower() == ".txt":
        return read_truth(path)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    read = (_picture(path, number, line) for number, line in enumerate(lines, start=1) if line.strip())
    pictures = dict(picture for picture in read if picture is not None)
    if not pictures:
        raise InvalidInput(f"{path} has no line with a picture")
    return Truth(pictures, (ALL,), path)


def _picture(path: Path, number: int, line: str) -> tuple[str, PictureTruth] | None:
    try:
        record = json.loads(line)
        if "error" in record:
            return None
        name, boxes = record["image"], np.array([face["box"] for face in record["faces"]], np.float64).reshape(-1, 4)
    except (ValueError, TypeError, KeyError) as error:
        example = '{"image": "a.jpg", "faces": [{"box": [x1, y1, x2, y2]}]}'
        raise InvalidInput(f"{path}, line {number}: {line[:60]!r} is not like {example}") from error
    return str(name), PictureTruth(boxes, {ALL: np.ones(len(boxes), np.bool_)})


@dataclass(frozen=True)
class ThresholdReport:
    """scores [P], descending: of all detections that count. hits [P]: which are the first of a marked face.
    faces: how many are marked; pictures: in how many."""

    scores: Floats
    hits: Bools
    faces: int
    pictures: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {"pictures": self.pictures, "faces": self.faces, "thresholds": list(map(self.at, THRESHOLDS))}

    def at(self, threshold: float) -> dict[str, float | int | None]:
        """What a caller sees who takes faces of at least this probability; None where nothing is found or marked."""
        kept = self.hits[self.scores >= threshold]
        found = int(kept.sum())
        return {
            "threshold": threshold,
            "found": found,
            "false": len(kept) - found,
            "missed": self.faces - found,
            "precision": found / len(kept) if len(kept) else None,
            "recall": found / self.faces if self.faces else None,
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A line of text for each threshold."""
        for row in map(self.at, THRESHOLDS):
            shares = ("-" if row[name] is None else f"{row[name]:.3f}" for name in ("precision", "recall"))
            yield (f"{row['threshold']:g}", *(str(row[name]) for name in ("found", "false", "missed")), *shares)


def measure(truth: Truth, results: ResultsFile, names: Sequence[str]) -> ThresholdReport:
    """Hold the results of the pictures `names` against the labels; those without a result are left out."""
    known = [name for name in names if name in results]
    judged = [_judged(results[name], truth.pictures[name]) for name in known]
    scores = np.concatenate([np.empty(0), *(scores for scores, _ in judged)])
    hits = np.concatenate([np.empty(0, np.bool_), *(hits for _, hits in judged)])
    order = np.argsort(-scores, kind="stable")
    faces = sum(int(truth.pictures[name].counted[ALL].sum()) for name in known)
    return ThresholdReport(scores[order], hits[order], faces, len(known))


def _judged(record: Record, picture: PictureTruth) -> tuple[Floats, Bools]:
    """Scores and hits of what counts. Unlike WIDER FACE's protocol, what is found where no face is, is false."""
    found = detections_of(record)
    if not len(picture.boxes):
        return found.scores, np.zeros(len(found.scores), np.bool_)
    judged = judge(found, picture.boxes, picture.counted[ALL])
    return judged.scores[judged.proposals], judged.hits[judged.proposals]
