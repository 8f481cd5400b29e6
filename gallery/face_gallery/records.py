"""What a gallery holds and what it answers."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput
from face_client.faces import Face
from face_client.messages import EMBEDDING_SIZE
from face_client.weights import Weights

Scalar = Union[str, int, float, bool]

Metadata = Mapping[str, Any]
"""What is known of a person beside the name: a JSON object."""

Filter = Mapping[str, Scalar]
"""Keys of the metadata and the values that they must have."""

DEFAULT_COLLECTION = "default"

_LONGEST_NAME = 200
_LARGEST = 2**63 - 1
"""Of numbers that databases compare."""


NOBODY = 4.0
"""What a server says for a distance and for a margin where there is nobody: larger than all; JSON has no infinity."""


def checked_name(field_name: str, name: object) -> str:
    """A name as it is kept: NFC, so that é is the same letter however it was typed. Raises InvalidInput."""
    if not isinstance(name, str):
        raise InvalidInput(f"{field_name} is {name!r}; it must be text")
    kept = unicodedata.normalize("NFC", name)
    bad = [letter for letter in kept if unicodedata.category(letter) in ("Cc", "Cs")]
    if bad or not 0 < len(kept) <= _LONGEST_NAME or kept != kept.strip():
        raise InvalidInput(
            f"{field_name} is {name[:_LONGEST_NAME]!r}; it must have 1 to {_LONGEST_NAME} characters, no control "
            "characters, and no blanks around it"
        )
    return kept


def checked_collections(collections: object) -> list[str]:
    """Names of collections as they are kept. Raises InvalidInput, also for one name alone."""
    if isinstance(collections, str) or not isinstance(collections, Sequence):
        raise InvalidInput(f"collections is {collections!r}; it must be a list of names")
    return [checked_name("collection", name) for name in collections]


def checked_filter(where: object) -> Filter:
    """Raises InvalidInput for what are not texts, numbers, true or false by their keys."""
    if not isinstance(where, Mapping):
        raise InvalidInput(f"where is {where!r}; it must be keys and values")
    for key, value in where.items():
        fits = _is_text(key) and (_is_text(value) or isinstance(value, (bool, int, float)))
        if not fits or (isinstance(value, (int, float)) and not -_LARGEST <= value <= _LARGEST):
            raise InvalidInput(f"where is {dict(where)!r}; its values must be texts, numbers, true or false")
    return where


def _is_text(value: object) -> bool:
    """Not what JSON can say, and UTF-8 cannot."""
    return isinstance(value, str) and not any(unicodedata.category(letter) == "Cs" for letter in value)


def checked_embedding(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raises InvalidInput for what no network gave."""
    if embedding.shape != (EMBEDDING_SIZE,) or not np.isfinite(embedding).all() or not embedding.any():
        raise InvalidInput(f"embedding must be {EMBEDDING_SIZE} numbers, not all of them zero")
    return embedding


@dataclass(frozen=True)
class Person:
    """Somebody who is enrolled. faces: how many faces of them are. created: seconds since 1970."""

    id: int
    name: str
    collection: str
    metadata: Metadata
    faces: int
    created: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "person": self.name,
            "collection": self.collection,
            "faces": self.faces,
            "created": self.created,
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, eq=False)
class NewFace:
    """A face to enrol. embedding: float32 [512]. crop: a picture file of 160x160 pixels, as FaceNet saw it, or None
    where none is kept. details: where it comes from and how good it is, for JSON. added: seconds since 1970;
    None: now."""

    embedding: NDArray[np.float32]
    crop: bytes | None = None
    details: Metadata = field(default_factory=dict)
    added: float | None = None


@dataclass(frozen=True, eq=False)
class StoredFace:
    """A face that is enrolled. person: the id of the person. embedding: of the index that was asked for, if it is in
    it."""

    id: int
    person: int
    added: float
    details: Metadata
    crop: bytes | None
    embedding: NDArray[np.float32] | None


@dataclass(frozen=True)
class Index:
    """The embeddings of one network.

    weights: whose. faces: how many have one; None: not counted. is_active: the index that is enrolled into.
    calibration: what `calibrate` measured, for JSON; None without one.
    """

    weights: Weights
    faces: int | None
    is_active: bool
    calibration: Metadata | None


@dataclass(frozen=True)
class Threshold:
    """The distance below which a face is taken for a person.

    source: "calibrated" on this gallery, "literature" (see `face_client.similarity.SAME_DISTANCE`), or "given" by the
    caller. false_match_rate: how often a stranger is taken for somebody of this gallery, with interval, where it was
    measured; people: for a gallery of so many.
    """

    distance: float
    source: str
    false_match_rate: float | None = None
    interval: tuple[float, float] | None = None
    people: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        document: dict[str, Any] = {"distance": self.distance, "source": self.source}
        if self.false_match_rate is not None:
            document["false_match_rate"] = self.false_match_rate
            document["interval"] = None if self.interval is None else list(self.interval)
            document["people"] = self.people
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Threshold:
        """Of `to_dict`. Raises KeyError, TypeError."""
        interval = document.get("interval")
        return cls(
            float(document["distance"]),
            str(document["source"]),
            document.get("false_match_rate"),
            None if interval is None else (interval[0], interval[1]),
            document.get("people"),
        )


@dataclass(frozen=True)
class Candidate:
    """Somebody whom a face looks like. distance: Euclidean, 0 to 2, to the nearest face of this person; cosine: 1 to
    −1. face: the id of that face."""

    person: str
    collection: str
    distance: float
    cosine: float
    face: int
    metadata: Metadata

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "person": self.person,
            "collection": self.collection,
            "distance": self.distance,
            "cosine": self.cosine,
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Candidate:
        """Of `to_dict`, with `face` beside it. Raises KeyError, TypeError."""
        return cls(*(document[name] for name in ("person", "collection", "distance", "cosine", "face", "metadata")))


@dataclass(frozen=True, eq=False)
class Identified:
    """Who a face is.

    face: in the picture that was asked about. candidates: whom it looks like, the likeliest first, as many as were
    asked for. threshold: what `person` was decided by. margin: by how much the next person is farther away than the
    first, as a distance; None where there is no other. refusals: why the face is not good enough to be told, where a
    gate was given: then it is nobody's, however near somebody is.
    """

    face: Face
    candidates: Sequence[Candidate]
    threshold: Threshold
    margin: float | None
    refusals: Sequence[str] = ()

    @property
    def match(self) -> Candidate | None:
        """The likeliest person, if near enough; None: unknown, or the face is not good enough."""
        if not self.refusals and self.candidates and self.candidates[0].distance < self.threshold.distance:
            return self.candidates[0]
        return None

    @property
    def person(self) -> str | None:
        """The name; None: unknown, or the face is not good enough."""
        return None if self.match is None else self.match.person

    @property
    def distance(self) -> float | None:
        """To the likeliest person, known or not; None where nobody is enrolled."""
        return self.candidates[0].distance if self.candidates else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the face as `faces detect --json` has it, without its embedding, and who it is; refusals, if there
        are any."""
        face = self.face.to_dict()
        face.pop("embedding", None)
        return {
            **face,
            "person": self.person,
            "collection": None if self.match is None else self.match.collection,
            "distance": self.distance,
            "margin": self.margin,
            "threshold": self.threshold.to_dict(),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            **({"refusals": list(self.refusals)} if self.refusals else {}),
        }


@dataclass(frozen=True)
class Verification:
    """Whether a picture's face is a person's. distance: to the nearest face that is enrolled of them."""

    person: str
    same: bool
    distance: float
    cosine: float
    threshold: Threshold

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "person": self.person,
            "same": self.same,
            "distance": self.distance,
            "cosine": self.cosine,
            "threshold": self.threshold.to_dict(),
        }
