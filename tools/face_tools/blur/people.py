"""Who is covered, by a gallery: only some of its people, or everybody but some. Needs the package face_gallery.

Where nobody can be sure, the face is covered: a stranger who is shown is worse than an acquaintance who is not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from face_client.errors import FaceError, InvalidInput, UnfitWeights
from face_client.faces import Faces
from face_client.similarity import distances
from face_client.weights import Weights
from face_gallery.errors import GalleryError, UnknownPerson
from face_gallery.quality import DEFAULT_GATE, Gate
from face_gallery.records import Filter, Identified, Person, checked_name
from face_gallery.register import Register
from face_tools.blur.selecting import Persons, Votes


class _Chosen:
    """Some people of a gallery.

    threshold: the distance below which a face is a person's; None: the gallery's own. collections, where: of whom the
    gallery knows here, as for `Register.identify`.
    Raises UnknownPerson for a name that nobody has: it would cover or show nobody; InvalidInput for one that people of
    several collections have. Once there is a face to judge, UnfitWeights where the gallery has no face of one of them
    by the server's network.
    """

    needs_embeddings = True

    fatal: tuple[type[FaceError], ...] = (GalleryError, UnfitWeights)

    gate: Gate | None = None
    """What a face must be like to be told who it is."""

    def __init__(
        self,
        register: Register,
        names: Collection[str],
        threshold: float | None = None,
        *,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
    ) -> None:
        self.names = frozenset(checked_name("person", name) for name in names)
        self._people = [person for person in register.store.people(collections, where) if person.name in self.names]
        _check_names(self.names, self._people)
        self._register = register
        self._threshold = threshold
        self._collections, self._where = collections, where
        self._known: dict[str, list[NDArray[np.float32]]] = {}

    def persons(self, faces: Faces) -> Persons:
        """Who they are, as far as it counts here."""
        # Of as many people as are named and one more, one is somebody else: the nearest of those.
        top = len(self.names) + 1
        found = self._register.identify(
            faces,
            top=top,
            threshold=self._threshold,
            collections=self._collections,
            where=self._where,
            gate=self.gate,
        )
        if not found:
            return []
        assert faces.embeddings is not None
        known = self._embedded(self._register.check(faces.weights))
        apart = np.stack([distances(faces.embeddings, rows).min(axis=1) for rows in known], axis=1)
        return [self.person(each, self._near(row, each)) for each, row in zip(found, apart)]

    def person(self, found: Identified, near: Sequence[str]) -> str | None:
        """Who one is. near: those of the people named that it looks like, the likeliest first."""
        raise NotImplementedError

    def _near(self, apart: NDArray[np.float64], found: Identified) -> list[str]:
        order = np.argsort(apart, kind="stable")
        return [self._people[number].name for number in order if apart[number] < found.threshold.distance]

    def _embedded(self, weights: Weights) -> list[NDArray[np.float32]]:
        """For each of `_people` the embeddings [N, D] of their faces. However many others are nearer: a search for the
        nearest people may not come to them."""
        if weights.sha256 not in self._known:
            self._known[weights.sha256] = [self._rows(person, weights) for person in self._people]
        return self._known[weights.sha256]

    def _rows(self, person: Person, weights: Weights) -> NDArray[np.float32]:
        faces = self._register.store.faces(weights.sha256, person.id)
        rows = [face.embedding for face in faces if face.embedding is not None]
        if not rows:
            raise UnfitWeights(
                f"the gallery has no face of {person.name!r} that is embedded by {weights.name}: enrol one, or run "
                "`faces gallery reindex`"
            )
        return np.stack(rows)


def _check_names(names: Collection[str], people: Sequence[Person]) -> None:
    """Raises UnknownPerson, InvalidInput."""
    missing = set(names) - {person.name for person in people}
    if missing:
        raise UnknownPerson(f"nobody is enrolled as {', '.join(map(repr, sorted(missing)))}")
    for name in sorted(names):
        collections = [person.collection for person in people if person.name == name]
        if len(collections) > 1:
            raise InvalidInput(
                f"{name!r} is a name in the collections {', '.join(map(repr, collections))}; say with --collection "
                "which one is meant"
            )


class Only(_Chosen):
    """Covers these people only. A face that looks like several is taken for the one that is covered; a track is covered
    if it was once. A face that looks like none of them is shown: a stranger's, and theirs where it is too poor."""

    def person(self, found: Identified, near: Sequence[str]) -> str | None:
        return near[0] if near else found.person

    def covers(self, near: Votes, ever: Votes) -> bool:  # noqa: ARG002 the protocol's
        """Whether it was seen once as one of them."""
        return any(person in self.names for person in ever)


class But(_Chosen):
    """Covers everybody but these people. Shown is only whose face is good enough to be enrolled by, looks like one of
    them and like nobody else who is enrolled; and in a video, who does so in more than half of the sightings around."""

    gate = DEFAULT_GATE

    def person(self, found: Identified, near: Sequence[str]) -> str | None:
        others = any(
            each.person not in self.names for each in found.candidates if each.distance < found.threshold.distance
        )
        return None if near and others else found.person

    def covers(self, near: Votes, ever: Votes) -> bool:  # noqa: ARG002 the protocol's
        """Unless it is one of them by an absolute majority of now: a track may go over to somebody else."""
        shown = max((near[person] for person in near if person in self.names), default=0)
        return 2 * shown <= sum(near.values())
