"""Single-client latency of all contenders, interleaved so that whatever else the machine does hits all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from face_bench.contenders import Contender, Measured, PeerError
from face_bench.pictures import Picture
from face_bench.spread import Spread

# Thread pools of the last contender spin for a moment; they must not take the cores from the next one.
_SETTLE_S = 0.02

Key = tuple[str, str]
"""Picture, contender."""


@dataclass
class Measurements:
    """Every measured detection by picture and contender; why a contender fell out, if one did."""

    by_key: dict[Key, list[Measured]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def of(self, picture: Picture, contender: str) -> list[Measured]:
        """Empty for a contender that fell out."""
        return [] if contender in self.failures else self.by_key.get((picture.name, contender), [])


@dataclass(frozen=True)
class Latency:
    """One contender on one picture, milliseconds."""

    picture: str
    width: int
    height: int
    contender: str
    milliseconds: Spread
    iqr_ms: float
    fps: float
    faces: int


def measure(
    contenders: Sequence[Contender],
    pictures: Sequence[Picture],
    warm_up: int,
    rounds: int,
    after_round: Callable[[int], None],
) -> Measurements:
    """Every contender on every picture in every round, in an order that turns from round to round.

    Args:
        warm_up: rounds before the measured ones.
        after_round: told after each round of either kind how many are done.
    """
    measurements = Measurements()
    for n in range(warm_up + rounds):
        for picture in pictures:
            for contender in _turned(contenders, n):
                if contender.name not in measurements.failures:
                    _measure_once(contender, picture, measurements, keep=n >= warm_up)
        after_round(n + 1)
    return measurements


def _turned(contenders: Sequence[Contender], n: int) -> list[Contender]:
    """Nobody always follows the same one."""
    start = n % len(contenders)
    return [*contenders[start:], *contenders[:start]]


def _measure_once(contender: Contender, picture: Picture, measurements: Measurements, keep: bool) -> None:
    time.sleep(_SETTLE_S)
    try:
        measured = contender.detect(picture)
    except PeerError as error:
        measurements.failures[contender.name] = str(error)
        return
    if keep:
        measurements.by_key.setdefault((picture.name, contender.name), []).append(measured)


def summarise(measurements: Measurements, pictures: Sequence[Picture], contenders: Sequence[str]) -> list[Latency]:
    """Picture by picture, contenders in the given order."""
    return [
        _latency(picture, contender, measured)
        for picture in pictures
        for contender in contenders
        if (measured := measurements.of(picture, contender))
    ]


def _latency(picture: Picture, contender: str, measured: Sequence[Measured]) -> Latency:
    spread = Spread.of([1e3 * m.seconds for m in measured])
    faces = len(measured[-1].faces)
    return Latency(
        picture.name, picture.width, picture.height, contender, spread, spread.iqr, 1e3 / spread.median, faces
    )


@dataclass(frozen=True)
class Ratio:
    """How many times longer a peer's median is than ours."""

    picture: str
    ours: str
    peer: str
    ratio: float


def ratios(latencies: Sequence[Latency], ours: Sequence[str]) -> list[Ratio]:
    """Every peer against every way of ours, picture by picture."""
    return [
        Ratio(peer.picture, our.contender, peer.contender, peer.milliseconds.median / our.milliseconds.median)
        for our in latencies
        if our.contender in ours
        for peer in latencies
        if peer.picture == our.picture and peer.contender not in ours
    ]
