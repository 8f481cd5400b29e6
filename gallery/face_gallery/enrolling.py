"""From recognised faces to what is written: which face of a picture, whether it is good enough, and nobody else's."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import FaceError, InvalidInput, NoFace, UnfitWeights
from face_client.faces import BatchAnswer, Face, Faces
from face_client.weights import Weights
from face_gallery.errors import FaceRefused
from face_gallery.quality import Gate, Quality
from face_gallery.records import Metadata, NewFace, checked_name
from face_gallery.register import Register
from face_gallery.store import Enrolment

_PROMINENT = 0.5
"""A face that is at least this share as large as the largest of its picture may be meant just as well."""

_MOST_LEVELS = 20


@dataclass(frozen=True)
class Enrolled:
    """What was enrolled of a person. faces: the ids of the new faces. refused: pictures that were not, by their number
    (0 is the first), and why."""

    person: str
    collection: str
    faces: Sequence[int]
    refused: Sequence[tuple[int, FaceError | OSError]]


class Enrolling:
    """How a gallery enrols: its register, its gate, and whether the faces' pictures are kept."""

    def __init__(self, register: Register, gate: Gate | None, keep_crops: bool) -> None:
        self.register = register
        self.gate = gate
        self.keep_crops = keep_crops

    def start(self, person: str, collection: str, metadata: Metadata | None, force: bool) -> EnrolmentOfPerson:
        """Raises InvalidInput for a name that cannot be."""
        if metadata is not None:
            check_metadata(metadata)
        return EnrolmentOfPerson(
            self, checked_name("person", person), checked_name("collection", collection), metadata, force
        )


class EnrolmentOfPerson:
    """Takes the answers for one person's pictures, and writes what is good of them."""

    def __init__(
        self, enrolling: Enrolling, person: str, collection: str, metadata: Metadata | None, force: bool
    ) -> None:
        self._enrolling = enrolling
        self._person, self._collection = person, collection
        self._metadata = metadata
        self._force = force
        self._faces: list[NewFace] = []
        self._refused: list[tuple[int, FaceError | OSError]] = []
        self._weights: Weights | None = None

    @property
    def refused(self) -> Sequence[tuple[int, FaceError | OSError]]:
        """As `Enrolled.refused`, until now."""
        return self._refused

    @property
    def has_faces(self) -> bool:
        """Whether there is something to write."""
        return bool(self._faces)

    def take(self, answer: BatchAnswer, details: Metadata | None = None) -> FaceError | OSError | None:
        """The next picture's faces, recognised, with crops as FaceNet saw them; or why there are none.

        details: where the picture comes from, for JSON. Returns why the picture is refused, if it is. Raises
        UnfitWeights for weights that will not do.
        """
        refusal: FaceError | OSError
        if isinstance(answer, Faces):
            try:
                self._faces.append(self._accepted(answer, details or {}))
                return None
            except (NoFace, FaceRefused) as error:
                refusal = error
        else:
            refusal = answer
        self._refused.append((len(self._faces) + len(self._refused), refusal))
        return refusal

    def _accepted(self, faces: Faces, details: Metadata) -> NewFace:
        face = largest(faces)
        weights = self._enrolling.register.check(faces.weights)
        if self._weights is not None and self._weights.sha256 != weights.sha256:
            raise UnfitWeights("the server's FaceNet was given other weights meanwhile: enrol again")
        self._weights = weights
        quality = Quality.of(face)
        refusals = [] if self._force else [*self._refusals(faces, quality), *self._look_alikes(face, weights)]
        if refusals:
            raise FaceRefused(f"the face is not enrolled: {'; '.join(refusals)}")
        assert face.embedding is not None
        kept = self._enrolling.keep_crops and face.crop is not None
        return NewFace(
            face.embedding,
            _file(face.crop) if kept else None,
            {**details, "box": face.to_dict()["box"], "probability": face.probability, "quality": asdict(quality)},
        )

    def _refusals(self, faces: Faces, quality: Quality) -> list[str]:
        gate = self._enrolling.gate
        if gate is None:
            return []
        return [*_several(faces, quality, gate), *gate.refusals(quality)]

    def _look_alikes(self, face: Face, weights: Weights) -> list[str]:
        """Of whom it may be a duplicate."""
        register = self._enrolling.register
        if self._enrolling.gate is None or not register.indexes():
            return []
        assert face.embedding is not None
        decided = register.threshold(weights)
        (found,) = register.find(face.embedding[np.newaxis], weights, top=2, collections=[self._collection])
        return [
            f"it looks like {other.person!r} (distance {other.distance:.2f}, below {decided.distance:.2f})"
            for other in found.candidates
            if other.person != self._person and other.distance < decided.distance
        ][:1]

    def finish(self) -> Enrolled:
        """Write all that was accepted. Raises what the first picture was refused for, where nothing was."""
        faces: Sequence[int] = []
        if self._faces:
            assert self._weights is not None
            enrolment = Enrolment(self._collection, self._person, self._metadata, self._faces)
            (faces,) = self._enrolling.register.store.enrol([enrolment], self._weights)
        elif self._refused:
            raise self._refused[0][1]
        else:
            raise InvalidInput(f"there are no pictures of {self._person!r}")
        return Enrolled(self._person, self._collection, faces, self._refused)


def largest(faces: Faces) -> Face:
    """Raises NoFace."""
    if not faces:
        raise NoFace("no face was found in the picture")
    return max(faces, key=_area)


def face_meant(faces: Faces, gate: Gate) -> Face:
    """The one face that a picture is of, however good. Raises NoFace, and FaceRefused where it may be another."""
    face = largest(faces)
    for refusal in _several(faces, Quality.of(face), gate):
        raise FaceRefused(refusal)
    return face


def check_metadata(metadata: object) -> None:
    """Raises InvalidInput for what is no JSON object, or what nobody could be told of: JSON can say half of a surrogate
    pair, which UTF-8 cannot, and nest deeper than it is read."""
    if _is_deep(metadata, _MOST_LEVELS):
        raise InvalidInput(f"metadata has objects in objects; at most {_MOST_LEVELS} levels are kept")
    try:
        json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"metadata is {metadata!r}; it must be an object of JSON ({error})") from error
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        raise InvalidInput(f"metadata is {metadata!r}; it must be an object of JSON")


def _is_deep(value: object, levels: int) -> bool:
    """Whether there are more than so many in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return bool(inner) and (levels == 0 or any(_is_deep(each, levels - 1) for each in inner))


def _several(faces: Faces, largest: Quality, gate: Gate) -> list[str]:
    count = sum(_is_prominent(Quality.of(face), largest, gate) for face in faces)
    return [f"the picture shows {count} faces, and should show one"] if count > 1 else []


def _is_prominent(face: Quality, largest: Quality, gate: Gate) -> bool:
    """Whether the picture may be meant for this face: nobody takes a small one far behind, or a pattern that is hardly
    a face, for the person."""
    return face.size >= _PROMINENT * largest.size and face.probability >= min(gate.min_probability, largest.probability)


def _area(face: Face) -> float:
    x1, y1, x2, y2 = face.box
    return float((x2 - x1) * (y2 - y1))


def _file(crop: NDArray[np.uint8] | None) -> bytes:
    """A PNG: FaceNet is to see the same pixels again."""
    assert crop is not None
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "PNG")
    return file.getvalue()
