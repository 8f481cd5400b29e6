"""Faces of many people, as they come, into a gallery: each person is written when their last picture is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Union

from face_client.errors import FaceError, reason
from face_client.faces import BatchAnswer
from face_command import console
from face_gallery.enrolling import Enrolled, Enrolling, EnrolmentOfPerson
from face_gallery.records import Metadata
from face_tools.batch import error_document

COLUMNS = (
    console.Column("person"),
    console.Column("collection"),
    console.Column("faces", 5),
    console.Column("refused", 7),
)

Refusal = Union[FaceError, OSError]


class Given(NamedTuple):
    """A picture of somebody, and the faces that a server found in it. image: its path, as the gallery keeps it.
    is_told: that there is no answer was said already."""

    person: str
    image: str
    answer: BatchAnswer
    is_told: bool = False


class Enrolments:
    """Takes the pictures of many people.

    has_refusals: whether a picture was not enrolled.
    """

    def __init__(
        self,
        enrolling: Enrolling,
        *,
        collection: str,
        metadata: Metadata | None,
        force: bool,
    ) -> None:
        self.has_refusals = False
        self._enrolling = enrolling
        self._left: Counter[str] = Counter()
        self._collection, self._metadata, self._force = collection, metadata, force
        self._open: dict[str, EnrolmentOfPerson] = {}
        self._images: dict[str, list[str]] = {}

    def expect(self, pictures: Counter[str]) -> None:
        """How many pictures each person has; whoever has had all of them is written."""
        self._left = pictures

    def take(self, given: Given) -> Iterator[dict[str, Any]]:
        """The next picture; what it was refused for goes to stderr. Gives the person's row, where it was the last.

        Raises UnfitWeights and GalleryError.
        """
        person = given.person
        if person not in self._open:
            self._open[person] = self._enrolling.start(person, self._collection, self._metadata, self._force)
            self._images[person] = []
        self._images[person].append(given.image)
        refusal = self._open[person].take(given.answer, {"image": given.image})
        if refusal is not None:
            self.has_refusals = True
            if not given.is_told:
                console.message(f"{given.image}: {reason(refusal)}")
        self._left[person] -= 1
        if self._left[person] == 0:
            yield self._finished(person)

    def unfinished(self) -> Sequence[str]:
        """Who is not complete, and so not written: the run ended early."""
        return list(self._open)

    def _finished(self, person: str) -> dict[str, Any]:
        images, enrolment = self._images.pop(person), self._open.pop(person)
        done = enrolment.finish() if enrolment.has_faces else Enrolled(person, self._collection, [], enrolment.refused)
        return {
            "person": done.person,
            "collection": done.collection,
            "faces": list(done.faces),
            "refused": [{"image": images[number], "error": error_document(error)} for number, error in done.refused],
        }


def print_rows(rows: Iterable[dict[str, Any]], as_json: bool) -> None:
    """A person a line, as they are written."""
    if as_json:
        for row in rows:
            console.line(json.dumps(row))
    else:
        cells = ((row["person"], row["collection"], str(len(row["faces"])), str(len(row["refused"]))) for row in rows)
        console.print_as_they_come(COLUMNS, cells)
