"""A folder of pictures whose people are known, a folder a person: to enrol them, or to measure with people's own faces
and strangers' faces."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from face_client.errors import InvalidInput, UnfitWeights
from face_client.faces import Face, Faces
from face_client.weights import Weights
from face_command import console
from face_gallery.calibration import Nearest, Probe, look_up
from face_gallery.enrolling import face_meant
from face_gallery.quality import DEFAULT_GATE
from face_gallery.records import Person, checked_name
from face_gallery.register import Register
from face_tools import batch
from face_tools.pictures import Picture, find


def people_in(folder: Path) -> list[tuple[str, Picture]]:
    """The pictures with their person's name; those of one follow one another. What lies in no person's folder is left
    out, and it is said. Raises InvalidInput for a folder without pictures, and for names that cannot be."""
    found = []
    for picture in find([str(folder)]):
        if len(picture.place.parts) > 1:
            found.append((checked_name("person", picture.place.parts[0]), picture))
        else:
            console.message(f"{picture.path}: left out (not in the folder of a person)")
    return found


class Labelled:
    """Asks a server about such a folder, and looks the faces up: of people who are enrolled under the folder's name
    among their others, and of strangers among everybody.

    weights: of the index that they are looked up in. Raises InvalidInput where nobody of the folder is a stranger, or
    a name does not say which of several people it is.
    """

    def __init__(self, args: argparse.Namespace, register: Register, weights: Weights) -> None:
        self._register, self._weights = register, weights
        self._named = {picture: name for name, picture in people_in(args.folder)}
        self._people = _known(register, set(self._named.values()), args.collection)
        # A picture that is enrolled is not looked up with itself.
        self._enrolled = {
            (person.id, face.details.get("image")): face.id
            for person in self._people.values()
            for face in register.store.faces(person=person.id)
        }
        self._faces: dict[Picture, Face] = {}
        strangers = set(self._named.values()) - set(self._people)
        if not strangers:
            raise InvalidInput(
                f"--folder is {args.folder}, in which nobody is a stranger: it takes people of other names"
            )
        console.message(f"strangers: {len(strangers)}, people who are enrolled: {len(self._people)}")

    @property
    def pictures(self) -> Sequence[Picture]:
        """Those to ask about."""
        return list(self._named)

    def take(self, picture: Picture, faces: Faces) -> None:
        """Raises NoFace and FaceRefused for a picture that does not show one face."""
        self._faces[picture] = face_meant(faces, DEFAULT_GATE)

    def look_up(self, answers: batch.Answers) -> list[Nearest]:
        """All that show a face. How near strangers come is told by strangers alone.

        Raises UnfitWeights and GalleryError.
        """
        for _picture, answer in answers:
            if isinstance(answer, Faces) and answer:
                self._check(self._register.check(answer.weights))
        probes = [self._probe(picture, face) for picture, face in self._faces.items()]
        if all(probe.person is not None for probe in probes):
            raise InvalidInput("no picture of a stranger was answered: there is nothing to measure")
        looked_up = look_up(self._register, self._weights, console.tracked(probes, total=len(probes), what="faces"))
        return [near if probe.person is None else near._replace(other=None) for probe, near in zip(probes, looked_up)]

    def _check(self, weights: Weights) -> None:
        if weights.sha256 != self._weights.sha256:
            raise UnfitWeights(
                f"the active index is of {self._weights.name}, and the server's FaceNet is now {weights.name}: "
                "run `faces gallery reindex --activate`"
            )

    def _probe(self, picture: Picture, face: Face) -> Probe:
        person = self._people.get(self._named[picture])
        assert face.embedding is not None
        if person is None:
            return Probe(face.embedding, None)
        return Probe(face.embedding, person.id, self._enrolled.get((person.id, str(picture.path.resolve()))))


def _known(register: Register, names: Collection[str], collection: str) -> dict[str, Person]:
    """Who of these is enrolled: in the collection, or else in another."""
    found = defaultdict(list)
    for person in register.store.people():
        if person.name in names:
            found[person.name].append(person)
    known = {}
    for name, people in found.items():
        chosen = [person for person in people if person.collection == collection] or people
        if len(chosen) > 1:
            collections = " and ".join(person.collection for person in chosen)
            raise InvalidInput(f"{name!r} is somebody of {collections}: say of which with --collection")
        known[name] = chosen[0]
    return known
