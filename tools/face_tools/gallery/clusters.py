"""Clusters of `faces cluster`, that somebody has looked at and named: which faces of which pictures are whose."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from face_client.errors import InvalidInput, NoFace
from face_client.faces import Faces
from face_gallery.records import checked_name
from face_tools.matching import iou
from face_tools.pictures import Picture

_LEAST_OVERLAP = 0.5
"""IoU at which a face that is found again is the one of the cluster."""


class Wanted(NamedTuple):
    """A picture of a person. box: x1, y1, x2, y2 of the face; None: it is the only one."""

    person: str
    picture: Picture
    box: Sequence[float] | None = None


def number_and_name(text: str) -> tuple[int, str]:
    """An argument type: N=NAME."""
    number, equals, name = text.partition("=")
    if not equals or not name or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form N=NAME, with the number of a cluster")
    return int(number), name


def read_clusters(file: Path, names: Sequence[tuple[int, str]]) -> list[Wanted]:
    """The faces of the clusters that have a name. Raises InvalidInput for a file that is none, and for a cluster that
    is not there or has two names."""
    clusters = _clusters(file)
    named: dict[int, str] = {}
    for number, given in names:
        name = checked_name("person", given)
        if number > len(clusters):
            raise InvalidInput(f"--name {number}={name}: {file} has {len(clusters)} clusters")
        if named.setdefault(number, name) != name:
            raise InvalidInput(f"cluster {number} is given two names, {named[number]!r} and {name!r}")
    return [
        Wanted(name, Picture(Path(face["image"]), Path(Path(face["image"]).name)), face["box"])
        for number, name in named.items()
        for face in clusters[number - 1]
    ]


def _clusters(file: Path) -> Sequence[Sequence[Mapping[str, Any]]]:
    try:
        document = json.loads(file.read_bytes())
        found = [
            [{"image": str(face["image"]), "box": _box(face["box"])} for face in each] for each in document["clusters"]
        ]
    except OSError as error:
        raise InvalidInput(f"--clusters {file} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"--clusters is {file}, which is no file of `faces cluster`") from error
    return found


def _box(values: Any) -> list[float]:
    """Raises ValueError, TypeError."""
    x1, y1, x2, y2 = (float(value) for value in values)
    return [x1, y1, x2, y2]


def face_at(faces: Faces, box: Sequence[float]) -> Faces | NoFace:
    """The one face that lies there, or that there is none."""
    overlaps = iou(np.array([box], np.float64), faces.boxes)[0] if len(faces) else np.zeros(1)
    best = int(overlaps.argmax())
    if overlaps[best] < _LEAST_OVERLAP:
        return NoFace(f"the face at {' '.join(f'{value:.0f}' for value in box)} was not found again")
    row = slice(best, best + 1)

    def one(rows: Any) -> Any:
        return None if rows is None else rows[row]

    return replace(
        faces,
        boxes=faces.boxes[row],
        probabilities=faces.probabilities[row],
        landmarks=faces.landmarks[row],
        crops=one(faces.crops),
        embeddings=one(faces.embeddings),
        angles=one(faces.angles),
    )
