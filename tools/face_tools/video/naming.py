"""Whose tracks are whose: some faces of each are looked up in a gallery, and vote.

A track is looked at as soon as its face is good enough to be told (see `face_gallery.quality`), and then again `every`
detected frames later at the earliest. Each look is a vote: for the nearest person of the gallery, if near enough, or
else for nobody. The track is named after the person with the most votes, if these are `votes` or more, and more than
half of all. Until then, and where nobody has so many, it is unknown; a name may change as votes come in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from face_client.errors import FaceError, UnfitWeights
from face_gallery.quality import DEFAULT_GATE, Gate, Quality
from face_gallery.records import Filter
from face_gallery.register import Register
from face_tools.video.frames import LOOK_EVERY, VOTES, FrameFaces, Name

if TYPE_CHECKING:
    from face_client import FaceClient


@dataclass
class _Track:
    """votes: by collection and person. looks: all votes, also for nobody. wait: detected frames until the next."""

    votes: Counter[tuple[str, str]] = field(default_factory=Counter)
    looks: int = 0
    wait: int = 0


class Namer:
    """Names the tracks of one video.

    client: has FaceNet. every, votes: see above. threshold, collections, where: as for `Register.identify`.
    gate: what a face must be like to vote.

    error: why the faces of the last frame that was given out could not be looked at, which is done with the next one
    then; else None. failures: in how many frames.

    Raises UnfitWeights where the gallery's faces were embedded by another network than the server's.
    """

    def __init__(
        self,
        client: FaceClient,
        register: Register,
        *,
        every: int = LOOK_EVERY,
        votes: int = VOTES,
        threshold: float | None = None,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
        gate: Gate = DEFAULT_GATE,
    ) -> None:
        self._client, self._register = client, register
        self._weights = register.check(client.weights())
        register.check_index(self._weights)
        self._every, self._least = every, votes
        self._threshold = register.threshold(self._weights, threshold)
        self._collections, self._where = collections, where
        self._gate = gate
        self._tracks: dict[int, _Track] = {}
        self.error: FaceError | None = None
        self.failures = 0

    def name(self, answers: Iterable[FrameFaces]) -> Iterator[FrameFaces]:
        """The same frames, with names. The faces of those that were detected need crops."""
        for answer in answers:
            self.error = None
            if answer.detected:
                self._look(answer)
            yield replace(answer, names=tuple(self.of(track) for track in answer.tracks))

    def of(self, track: int | None) -> Name | None:
        """As the votes are now; None: unknown."""
        seen = None if track is None else self._tracks.get(track)
        if seen is None or not seen.votes:
            return None
        (((collection, person), count),) = seen.votes.most_common(1)
        return Name(person, collection, count, seen.looks) if count >= self._least and 2 * count > seen.looks else None

    def named(self) -> dict[int, Name | None]:
        """All tracks, by their numbers."""
        return {track: self.of(track) for track in sorted(self._tracks)}

    def _look(self, answer: FrameFaces) -> None:
        due: list[tuple[_Track, np.ndarray]] = []
        for face, number in zip(answer.faces, answer.tracks):
            if number is None:
                continue
            track = self._tracks.setdefault(number, _Track())
            track.wait -= 1
            if track.wait <= 0 and face.crop is not None and not self._gate.refusals(Quality.of(face)):
                track.wait = self._every
                due.append((track, face.crop))
        if not due:
            return
        embeddings = self._embedded(np.stack([crop for _, crop in due]))
        if embeddings is None:
            for track, _ in due:
                track.wait = 0
            return
        found = self._register.find(embeddings, self._weights, top=1, collections=self._collections, where=self._where)
        for (track, _), each in zip(due, found):
            track.looks += 1
            if each.candidates and each.candidates[0].distance < self._threshold.distance:
                track.votes[each.candidates[0].collection, each.candidates[0].person] += 1

    def _embedded(self, crops: np.ndarray) -> np.ndarray | None:
        """None where the server gives no answer, as it may of a frame. Raises UnfitWeights."""
        try:
            embeddings = self._client.embed(crops)
            weights = self._client.weights()
        except UnfitWeights:
            raise
        except FaceError as error:
            self.error = error
            self.failures += 1
            return None
        if weights.sha256 != self._weights.sha256:
            raise UnfitWeights("the server's FaceNet was given other weights meanwhile")
        return embeddings
