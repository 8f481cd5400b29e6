"""Who a face is, by its embedding: the people of a store, and a matrix of their faces where the store has no search.

It asks no server; `Gallery` puts pictures before it, and the model `face_identification` the faces of many callers at
once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from face_client.errors import InvalidInput, UnfitWeights
from face_client.faces import Faces
from face_client.forks import renew_in_children
from face_client.options import check_at_least
from face_client.similarity import RANDOM_WEIGHTS, SAME_DISTANCE, cosines
from face_client.weights import Weights
from face_gallery.errors import EMBEDDED_BY
from face_gallery.matrix import Matrix
from face_gallery.nearest import Hit, distance_of
from face_gallery.quality import Gate, Quality
from face_gallery.records import (
    Candidate,
    Filter,
    Identified,
    Index,
    Person,
    Threshold,
    Verification,
    checked_name,
)
from face_gallery.store import Embeddings, SearchingStore, Store

SEARCHES = ("auto", "memory", "database")

DEFAULT_TOP = 3


class Found(NamedTuple):
    """Whom an embedding is like: candidates, the likeliest first, and by how much the next one is farther away."""

    candidates: Sequence[Candidate]
    margin: float | None


class Register:
    """The people of a store.

    search: "memory": in a matrix of this process, always exact; "database": by the store itself (PostgreSQL);
        "auto": by the store if it can.
    random_weights: go on where the embeddings are of a FaceNet that was never trained, and tell nobody apart.
    device: where the matrix lies: torch's name of a device, such as `cuda:0`; None: in this processor's memory.
    """

    def __init__(
        self, store: Store, *, search: str = "auto", random_weights: bool = False, device: str | None = None
    ) -> None:
        if search not in SEARCHES:
            raise InvalidInput(f"search is {search!r}; it must be one of {', '.join(SEARCHES)}")
        if search == "database" and not isinstance(store, SearchingStore):
            raise InvalidInput(f"{store.where} is a file, and has no search of its own; search must be memory")
        self.store = store
        self.random_weights = random_weights
        self._database = store if isinstance(store, SearchingStore) and search != "memory" else None
        self._device = device
        self._lock = threading.Lock()
        self._matrices: dict[str, Matrix] = {}
        self._indexes: tuple[int, list[Index]] = (-1, [])
        self._counted = (-1, 0)
        self._generation = store.generation
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: a thread that is not there may have held a lock, or been in the midst of a matrix."""
        self._lock = threading.Lock()
        self._matrices = {}

    def check(self, weights: Weights | None) -> Weights:
        """The weights of embeddings, if they may be used here. Raises UnfitWeights for random ones."""
        if weights is None:
            raise InvalidInput("the faces have no embeddings; ask for them with recognize")
        if weights.random and not self.random_weights:
            raise UnfitWeights(f"{RANDOM_WEIGHTS}; give it trained ones with `faces export --facenet vggface2`")
        return weights

    def indexes(self) -> list[Index]:
        """Of the store, read anew where it has changed; the active one first. Nobody has counted their faces."""
        return self._look()[1]

    @property
    def size(self) -> int:
        """Faces in the active index: those in memory, or else counted by the database when it has changed."""
        counter, indexes = self._indexes if self._indexes[0] >= 0 else self._look()
        active = next((index.weights.sha256 for index in indexes if index.is_active), None)
        with self._lock:
            if active in self._matrices:
                return len(self._matrices[active])
            if self._counted[0] != counter:
                self._counted = counter, sum(index.faces or 0 for index in self.store.indexes() if index.is_active)
            return self._counted[1]

    def _look(self) -> tuple[int, list[Index]]:
        """The change counter, and the indexes as they are then."""
        counter = self.store.counter()
        with self._lock:
            if self._generation != self.store.generation:
                self._generation, self._indexes, self._matrices = self.store.generation, (-1, []), {}
            if self._indexes[0] != counter:
                self._indexes = counter, self.store.indexes(counted=False)
                known = {index.weights.sha256 for index in self._indexes[1]}
                # What was dropped shall not stay in memory.
                self._matrices = {weights: each for weights, each in self._matrices.items() if weights in known}
            return self._indexes

    def threshold(self, weights: Weights, distance: float | None = None) -> Threshold:
        """What an answer is decided by: the distance that is given, or else the calibrated one, or the literature's."""
        if distance is not None:
            check_at_least("threshold", distance, 0)
            return Threshold(float(distance), "given")
        for index in self.indexes():
            if index.weights.sha256 == weights.sha256 and index.calibration is not None:
                return Threshold.from_dict({**index.calibration, "source": "calibrated"})
        return Threshold(SAME_DISTANCE, "literature")

    def identify(
        self,
        faces: Faces,
        *,
        top: int = DEFAULT_TOP,
        threshold: float | None = None,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
        gate: Gate | None = None,
    ) -> list[Identified]:
        """Who each face of a picture is, in their order; the faces are recognised.

        top: as many candidates. threshold: the distance below which a face is a person's; None: the gallery's.
        collections, where: only people of these collections, with this metadata; None: all.
        gate: what a face must be like to be told who it is; None: whatever it is like. It judges what is there: without
        crops not the sharpness, say.
        Raises UnfitWeights where the gallery has no embeddings of the network that these faces were embedded by.
        """
        if not len(faces):
            return []
        weights = self.check(faces.weights)
        assert faces.embeddings is not None
        decided = self.threshold(weights, threshold)
        found = self.find(faces.embeddings, weights, top=top, collections=collections, where=where)
        return [
            Identified(
                face, each.candidates, decided, each.margin, () if gate is None else gate.refusals(Quality.of(face))
            )
            for face, each in zip(faces, found)
        ]

    def find(
        self,
        embeddings: Embeddings,
        weights: Weights,
        *,
        top: int = DEFAULT_TOP,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
    ) -> list[Found]:
        """Whom each embedding [N, D] is like. All of them meet in one matrix product."""
        check_at_least("top", top, 1, whole=True)
        upto = self.check_index(weights)
        # One more than wanted: the margin is to the next.
        hits = self._search(embeddings, weights.sha256, top + 1, collections, where, upto)
        people = self.store.people_by_id(hit.person for of_face in hits for hit in of_face)
        return [self._found([hit for hit in of_face if hit.person in people], people, top) for of_face in hits]

    def _found(self, hits: Sequence[Hit], people: Mapping[int, Person], top: int) -> Found:
        candidates = []
        for hit in hits:
            person = people[hit.person]
            distance = distance_of(hit.cosine)
            candidates.append(
                Candidate(person.name, person.collection, distance, hit.cosine, hit.face, person.metadata)
            )
        margin = candidates[1].distance - candidates[0].distance if len(candidates) > 1 else None
        return Found(candidates[:top], margin)

    def _search(
        self,
        embeddings: Embeddings,
        weights: str,
        top: int,
        collections: Sequence[str] | None,
        where: Filter | None,
        upto: int,
    ) -> list[list[Hit]]:
        if self._database is not None:
            return self._database.search(embeddings, weights, top, collections, where)
        people = None if collections is None and not where else self.store.ids(collections, where)
        return self._matrix(weights, upto).search(embeddings, top, people)

    def matrix(self, weights: str) -> Matrix:
        """The matrix of an index, as the store is now."""
        return self._matrix(weights, self._look()[0])

    def _matrix(self, weights: str, upto: int) -> Matrix:
        with self._lock:
            if weights not in self._matrices:
                self._matrices[weights] = Matrix(self.store, weights, self._device)
            matrix = self._matrices[weights]
        matrix.refresh(upto)
        return matrix

    def remove(self, person: str, collection: str) -> int:
        """Erase a person, in the store and in this process's memory; how many faces of theirs. Raises UnknownPerson."""
        try:
            return self.store.remove(checked_name("collection", collection), checked_name("person", person))
        finally:
            # Also where the store says that the person is removed, and bytes are not yet erased.
            with self._lock:
                matrices = list(self._matrices.values())
            for matrix in matrices:
                matrix.refresh()

    def check_index(self, weights: Weights) -> int:
        """Raises UnfitWeights where faces are enrolled, and none by this network. An empty gallery knows nobody.

        The change counter, as it was looked at for that.
        """
        upto, indexes = self._look()
        if indexes and all(index.weights.sha256 != weights.sha256 for index in indexes):
            names = ", ".join(f"{index.weights.name} ({index.weights.sha256[:12]})" for index in indexes)
            raise UnfitWeights(
                f"{EMBEDDED_BY} {names}, and the server's FaceNet is now {weights.name} "
                f"({weights.sha256[:12]}): run `faces gallery reindex`"
            )
        return upto

    def verify(
        self, embedding: Embeddings, weights: Weights, person: str, collection: str, threshold: float | None = None
    ) -> Verification:
        """Whether an embedding [D] is a person's. Raises UnknownPerson, UnfitWeights."""
        self.check_index(self.check(weights))
        known = self.store.person(checked_name("collection", collection), checked_name("person", person))
        rows = [face.embedding for face in self.store.faces(weights.sha256, known.id) if face.embedding is not None]
        decided = self.threshold(weights, threshold)
        if not rows:
            raise UnfitWeights(f"no face of {person!r} is embedded by {weights.name}: run `faces gallery reindex`")
        cosine = float(cosines(embedding[np.newaxis], np.stack(rows)).max())
        distance = distance_of(cosine)
        return Verification(known.name, distance < decided.distance, distance, cosine, decided)
