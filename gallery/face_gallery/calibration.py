"""A threshold that means something: how often a stranger is taken for somebody of this gallery, and people for nobody.

A face of somebody is looked up among everybody else: how near its nearest other person comes is what a stranger's face
would be told. The share of such faces below a threshold is the false-match rate *at this gallery's size*, the open-set
false positive identification rate of ISO/IEC 19795-1; it grows with the gallery. The share of people's own faces that
are not near enough to their others is the miss rate.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput
from face_client.similarity import cosines
from face_client.weights import Weights
from face_gallery.nearest import distance_of
from face_gallery.records import Metadata
from face_gallery.register import Register
from face_gallery.store import Embeddings

Distances = NDArray[np.float64]

SAMPLE = 10_000
"""Probes that are looked up at most, one a person as far as there are so many."""

_AT_ONCE = 64
_CANDIDATES = 8
"""Nearest people, among whom is somebody of another name: collections in which one person is are fewer."""
_CONFIDENCE = 0.95

FEW = 5
"""False matches below the threshold that a rate should rest upon; with fewer it is told that they are few."""


class Probe(NamedTuple):
    """A face whose person is known. person: the id in the gallery; None: nobody of it. face: its own id there, if it is
    enrolled."""

    embedding: Embeddings
    person: int | None
    face: int | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """Euclidean distances. others: of each probe to the nearest person that it is not, ascending. own: of each probe of
    somebody with other faces to the nearest of these, ascending. people: in the gallery."""

    others: Distances
    own: Distances
    people: int


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it was found to mean.

    wanted: the false-match rate that was asked for. false_match_rate: that of the probes, with its interval of 95 %
    confidence; probes: how many. missed, missed_interval: likewise of people's own faces, own; None without any. made:
    seconds since 1970. is_few: there are too few probes to tell the wanted rate from smaller ones.
    """

    distance: float
    wanted: float
    false_match_rate: float
    interval: tuple[float, float]
    probes: int
    missed: float | None
    missed_interval: tuple[float, float] | None
    own: int
    people: int
    made: float

    @property
    def is_few(self) -> bool:
        return self.wanted * self.probes < FEW

    def to_dict(self) -> Metadata:
        """For JSON; `Register.threshold` reads it."""
        document: dict[str, Any] = {
            "distance": self.distance,
            "wanted": self.wanted,
            "false_match_rate": self.false_match_rate,
            "interval": list(self.interval),
            "probes": self.probes,
            "missed": self.missed,
            "missed_interval": None if self.missed_interval is None else list(self.missed_interval),
            "own": self.own,
            "people": self.people,
            "made": self.made,
            "is_few": self.is_few,
        }
        return document

    def __str__(self) -> str:
        """For a person."""
        said = [
            f"distance {self.distance:.3f}: of strangers, {_percent(self.false_match_rate, self.interval)} are taken "
            f"for somebody of these {self.people:,} people ({self.probes:,} faces looked up)"
        ]
        if self.missed is not None and self.missed_interval is not None:
            said.append(
                f"of people's own faces, {_percent(self.missed, self.missed_interval)} are not recognised "
                f"({self.own:,} looked up)"
            )
        else:
            said.append("how many of people's own faces are missed is not known: nobody has two")
        if self.is_few:
            said.append(
                f"{self.probes:,} faces are too few for a rate of {self.wanted:.3%}: it takes some "
                f"{FEW / self.wanted:,.0f}; the threshold may be too high"
            )
        return "; ".join(said)


def enrolled(
    register: Register, weights: Weights, sample: int = SAMPLE, seed: int = 0, also_in: Sequence[Weights] = ()
) -> Iterator[Probe]:
    """Probes out of the gallery itself: a face of each person, or of so many, chosen by chance.

    also_in: networks by which a face must be embedded too.
    """
    choice = np.random.default_rng(seed)
    people = register.store.ids()
    for person in choice.permutation(people)[:sample].tolist():
        faces = [face for face in register.store.faces(weights.sha256, person) if face.embedding is not None]
        for other in also_in:
            there = {face.id for face in register.store.faces(other.sha256, person) if face.embedding is not None}
            faces = [face for face in faces if face.id in there]
        if faces:
            face = faces[int(choice.integers(len(faces)))]
            assert face.embedding is not None
            yield Probe(face.embedding, person, face.id)


class Nearest(NamedTuple):
    """Euclidean distances of a probe: to the nearest person that it is not, and to the nearest other face of its own
    person; None where there is none. Of the same name in two collections nobody knows whether it is one person: it is
    taken for one."""

    other: float | None
    own: float | None


def look_up(
    register: Register, weights: Weights, probes: Iterable[Probe], tell: Callable[[int], None] = lambda _done: None
) -> list[Nearest]:
    """Of each probe, exactly, in memory. tell: is told how many are done. Raises UnfitWeights, GalleryError."""
    matrix = register.matrix(register.check(weights).sha256)
    looked_up: list[Nearest] = []
    for share in _shares(probes):
        hits = matrix.search(np.stack([probe.embedding for probe in share]), _CANDIDATES)
        known = [probe.person for probe in share if probe.person is not None]
        people = register.store.people_by_id([*known, *(hit.person for found in hits for hit in found)])
        names = {number: person.name for number, person in people.items()}
        for probe, found in zip(share, hits):
            own = None if probe.person is None else names.get(probe.person)
            near = next((hit for hit in found if hit.person in names and names[hit.person] != own), None)
            other = None if near is None else distance_of(near.cosine)
            looked_up.append(Nearest(other, _to_own(register, weights, probe)))
        tell(len(looked_up))
    return looked_up


def measure(register: Register, looked_up: Sequence[Nearest]) -> Measured:
    """What was looked up, in order."""
    others = np.sort([each.other for each in looked_up if each.other is not None])
    own = np.sort([each.own for each in looked_up if each.own is not None])
    return Measured(others.astype(np.float64), own.astype(np.float64), len(register.store.ids()))


def _to_own(register: Register, weights: Weights, probe: Probe) -> float | None:
    if probe.person is None:
        return None
    rows = [
        face.embedding
        for face in register.store.faces(weights.sha256, probe.person)
        if face.embedding is not None and face.id != probe.face
    ]
    return distance_of(float(cosines(probe.embedding[np.newaxis], np.stack(rows)).max())) if rows else None


def calibrate(measured: Measured, wanted: float) -> Calibration:
    """The largest threshold that keeps to a wanted false-match rate, and what it means.

    Raises InvalidInput for a rate that is none, or where nobody was looked up.
    """
    if not 0 < wanted < 1:
        raise InvalidInput(f"the false-match rate is {wanted}; it must be between 0 and 1")
    count = len(measured.others)
    if not count:
        raise InvalidInput("there are too few people to calibrate: a face needs somebody else to be taken for")
    # Below it are as many as the rate allows: a face matches whose distance is less.
    distance = float(measured.others[min(int(wanted * count), count - 1)])
    return at(measured, distance, wanted)


def at(measured: Measured, distance: float, wanted: float) -> Calibration:
    """What a threshold means."""
    false = int(np.searchsorted(measured.others, distance))
    missed = len(measured.own) - int(np.searchsorted(measured.own, distance))
    has_own = len(measured.own) > 0
    # Two people who are each other's nearest are one pair, and are counted twice: half of it is independent.
    return Calibration(
        distance=distance,
        wanted=wanted,
        false_match_rate=false / len(measured.others),
        interval=interval(false / 2, len(measured.others) / 2),
        probes=len(measured.others),
        missed=missed / len(measured.own) if has_own else None,
        missed_interval=interval(missed, len(measured.own)) if has_own else None,
        own=len(measured.own),
        people=measured.people,
        made=time.time(),
    )


def interval(hits: float, count: float) -> tuple[float, float]:
    """Of a rate of `hits` in `count`, with 95 % confidence (Clopper and Pearson 1934). Needs SciPy, the extra
    `calibrate`."""
    from scipy.stats import beta

    outside = (1 - _CONFIDENCE) / 2
    low = float(beta.ppf(outside, hits, count - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - outside, hits + 1, count - hits)) if hits < count else 1.0
    return low, high


def _shares(probes: Iterable[Probe]) -> Iterator[list[Probe]]:
    share: list[Probe] = []
    for probe in probes:
        share.append(probe)
        if len(share) == _AT_ONCE:
            yield share
            share = []
    if share:
        yield share


def _percent(rate: float, between: tuple[float, float]) -> str:
    return f"{rate:.3%} ({between[0]:.3%} to {between[1]:.3%})"
