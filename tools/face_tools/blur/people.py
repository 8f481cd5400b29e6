"""Who is covered, by a gallery: only some of its people, or everybody but some. Needs the package face_gallery.

Where nobody can be sure, the face is covered: a stranger who is shown is worse than an acquaintance who is not.
"""

from __future__ import annotations

from collections.abc import Collection

from face_client.faces import Faces
from face_gallery.errors import UnknownPerson
from face_gallery.quality import DEFAULT_GATE, Gate
from face_gallery.records import Identified, checked_name
from face_gallery.register import Register
from face_tools.blur.selecting import Persons, Votes


class _Chosen:
    """Some people of a gallery. names: of any collection. threshold: the distance below which a face is a person's;
    None: the gallery's own. Raises UnknownPerson for a name that nobody has: it would cover or show nobody."""

    needs_embeddings = True

    gate: Gate | None = None
    """What a face must be like to be told who it is."""

    def __init__(self, register: Register, names: Collection[str], threshold: float | None = None) -> None:
        self.names = frozenset(checked_name("person", name) for name in names)
        missing = self.names - {person.name for person in register.store.people()}
        if missing:
            raise UnknownPerson(f"nobody is enrolled as {', '.join(map(repr, sorted(missing)))}")
        self._register = register
        self._threshold = threshold

    def persons(self, faces: Faces) -> Persons:
        """Who they are, as far as it counts here."""
        found = self._register.identify(faces, threshold=self._threshold, gate=self.gate)
        return [self.person(each) for each in found]

    def person(self, found: Identified) -> str | None:
        """Who one is."""
        raise NotImplementedError


class Only(_Chosen):
    """Covers these people only. A face that looks like several is taken for the one that is covered; a track is covered
    if it was once. A face that looks like none of them is shown: a stranger's, and theirs where it is too poor."""

    def person(self, found: Identified) -> str | None:
        near = [each.person for each in found.candidates if each.distance < found.threshold.distance]
        return next((name for name in near if name in self.names), found.person)

    def covers(self, near: Votes, ever: Votes) -> bool:  # noqa: ARG002 the protocol's
        """Whether it was seen once as one of them."""
        return any(person in self.names for person in ever)


class But(_Chosen):
    """Covers everybody but these people. Shown is only whose face is good enough to be enrolled by, looks like one of
    them and like nobody else who is enrolled; and in a video, who does so in more than half of the sightings around."""

    gate = DEFAULT_GATE

    def person(self, found: Identified) -> str | None:
        near = {each.person for each in found.candidates if each.distance < found.threshold.distance}
        return None if near & self.names and not near <= self.names else found.person

    def covers(self, near: Votes, ever: Votes) -> bool:  # noqa: ARG002 the protocol's
        """Unless it is one of them by an absolute majority of now: a track may go over to somebody else."""
        shown = max((near[person] for person in near if person in self.names), default=0)
        return 2 * shown <= sum(near.values())
