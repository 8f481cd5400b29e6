"""Which faces are covered, and how they are looked for: rather too many than too few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional, Protocol

from face_client.errors import FaceError
from face_client.faces import Faces
from face_client.options import DetectOptions

RECALL = DetectOptions(min_face_size=15, threshold_pnet=0.5, threshold_rnet=0.5, threshold_onet=0.3)
"""What is asked for where the caller says nothing. What it finds, and what of that is none: docs/anonymising.md."""

Persons = Sequence[Optional[str]]
"""Who each face of a picture is; None for somebody unknown."""

Votes = Mapping[Optional[str], int]
"""How often the same face was seen as whom."""


class Selection(Protocol):
    """The seam: of which faces are covered. needs_embeddings: whether it asks who they are; it has crops then, too.
    fatal: what it raises that is no fault of a picture, and ends the run."""

    needs_embeddings: bool
    fatal: tuple[type[FaceError], ...]

    def persons(self, faces: Faces) -> Persons:
        """Who they are, one by one."""

    def covers(self, near: Votes, ever: Votes) -> bool:
        """Whether a face is covered. near, ever: who it was seen as around this frame of a video, and so far; of a
        picture, there is one vote."""


class Everybody:
    """All faces, whoever they are."""

    needs_embeddings = False
    fatal: tuple[type[FaceError], ...] = ()

    def persons(self, faces: Faces) -> Persons:
        """Nobody asks."""
        return [None] * len(faces)

    def covers(self, near: Votes, ever: Votes) -> bool:  # noqa: ARG002 the protocol's
        """Always."""
        return True


def likeliest(votes: Votes) -> str | None:
    """Who a face was seen as most often; None where it was nobody known."""
    known = {person: count for person, count in votes.items() if person is not None}
    return max(known, key=lambda person: known[person]) if known else None


def known(person: str | None) -> dict[str, str]:
    """For JSON: the person, where one is known."""
    return {} if person is None else {"person": person}
