"""The nearest people to a face, plainly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from face_client.similarity import cosines

Ids = Union[Sequence[int], NDArray[np.int64]]


SLACK = 16
"""Rows more than wanted: single precision may order the nearest ones wrongly, which double precision puts right."""


class Hit(NamedTuple):
    """The nearest face of a person, by their ids. cosine: to the query, in double precision."""

    person: int
    face: int
    cosine: float


def distance_of(cosine: float) -> float:
    """Euclidean, between two embeddings of length 1."""
    return float(np.sqrt(max(2 - 2 * cosine, 0.0)))


def nearest_people(
    queries: NDArray[np.float32], faces: Ids, people: Ids, embeddings: NDArray[np.float32], top: int
) -> list[list[Hit]]:
    """The `top` people whose nearest faces are nearest to each query [Q, D], the nearest first.

    faces, people: ids, of each row of embeddings [N, D]. Of equally near ones that with the lowest face id is first.
    """
    found = []
    for row in cosines(queries, embeddings):
        hits: dict[int, Hit] = {}
        for number in np.lexsort((np.asarray(faces), -row)):
            person = int(people[number])
            hits.setdefault(person, Hit(person, int(faces[number]), float(row[number])))
            if len(hits) == top:
                break
        found.append(list(hits.values()))
    return found
