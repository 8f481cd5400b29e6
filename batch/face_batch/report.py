"""What a run came to, in numbers: read from its shards, so that it holds whoever made them and when."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from face_batch import schema
from face_batch.manifest import STATE, Run, Target
from face_batch.page import page

FACES_EDGES = (0, 1, 2, 3, 4, 5, 10, 20, 50, 100)
"""Faces a picture: each bin from its edge up to the next, the last without end."""

SIZE_EDGES = (0, 20, 28, 40, 57, 80, 113, 160, 226, 320, 453, 640)
"""Pixels of the shorter side of a face: half an octave each."""

PROBABILITY_EDGES = (0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Finer towards 1, where most faces are."""

_EXAMPLES = 3
_COLUMNS = ["path", "frame", "face", "status", "error", "faces", "probability", "size"]


class Histogram:
    """Counts by the edges of their bins."""

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * len(edges)

    def add(self, values: NDArray[Any]) -> None:
        """Counts them; what is below the first edge goes into its bin."""
        # In the values' own precision: 0.7 as a float is below 0.7 as a double.
        edges = np.array([*self.edges, np.inf], np.float32)
        found, _ = np.histogram(np.maximum(values, edges[0]), edges)
        self.counts = [before + int(more) for before, more in zip(self.counts, found, strict=True)]


@dataclass
class Report:
    """pictures: rows of pictures and of frames, of which `frames` are of videos. statuses: how many of each.

    examples: path and reason of the first errors of each class. file_bytes: of the shards.
    """

    pictures: int = 0
    frames: int = 0
    with_faces: int = 0
    faces: int = 0
    file_bytes: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faces_a_picture: Histogram = field(default_factory=partial(Histogram, FACES_EDGES))
    sizes: Histogram = field(default_factory=partial(Histogram, SIZE_EDGES))
    probabilities: Histogram = field(default_factory=partial(Histogram, PROBABILITY_EDGES))
    examples: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, int]:
        """Statuses but for `ok`, the most frequent first."""
        return _by_number(status for status in self.statuses.items() if status[0] != schema.OK)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            **{name: vars(value) if isinstance(value, Histogram) else value for name, value in vars(self).items()},
            "statuses": _by_number(self.statuses.items()),
            "errors": self.errors,
        }


def _by_number(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    return dict(sorted(counts, key=lambda each: (-each[1], each[0])))


def summarize(target: Target, run: Run) -> Report:
    """Of all shards that are there, one after the other. Raises Disagreement where one is damaged."""
    report = Report()
    for number in range(run.shards):
        entry = target.shard(number).info()
        if entry is not None:
            report.file_bytes += entry.size
            _add(report, target.read(number, _COLUMNS))
    return report


def _add(report: Report, table: pa.Table) -> None:
    is_picture = pc.is_null(table["face"])
    pictures, faces = table.filter(is_picture), table.filter(pc.invert(is_picture))
    found = pictures["faces"].drop_null().to_numpy()
    report.pictures += len(pictures)
    report.frames += len(pictures) - pictures["frame"].null_count
    report.with_faces += int(np.count_nonzero(found))
    report.faces += len(faces)
    report.faces_a_picture.add(found)
    report.sizes.add(faces["size"].to_numpy())
    report.probabilities.add(faces["probability"].to_numpy())
    for each in pictures["status"].value_counts().to_pylist():
        report.statuses[each["values"]] += each["counts"]
    errors = pictures.filter(pc.not_equal(pictures["status"], schema.OK))
    for row in errors.select(["path", "status", "error"]).to_pylist():
        known = report.examples.setdefault(row["status"], [])
        if len(known) < _EXAMPLES:
            known.append({"path": row["path"], "error": row["error"] or ""})


def write(target: Target, run: Run, report: Report, facts: Mapping[str, Any]) -> None:
    """`report.json` and `report.html` beside the manifest. facts: of the running, for people: seconds, say."""
    told = {"run": asdict(run), "facts": dict(facts), **report.to_dict()}
    (target.place / f"{STATE}/report.json").write(f"{json.dumps(told, indent=1)}\n".encode())
    (target.place / f"{STATE}/report.html").write(page(target.place.address, told).encode())
