"""A run of the fuzz: any number of requests by a seed, and what came of them."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from tests.e2e.fuzz.messages import Message, encoded, message
from tests.e2e.fuzz.pictures import damaged, sound_files
from tests.e2e.fuzz.sending import NO_FACENET, Outcome, Sender
from tests.e2e.fuzz.special import special_cases
from tests.e2e.fuzz.strategies import generated, requests

CHUNK = 250

# One in so many requests is in order; its answer must not change, whatever its neighbours are.
_SOUND_EACH = 25
_SOUND = "sound"


@dataclass
class Result:
    """What came back: counts by status, and with their names, if they have one, what was wrong and what was slowest."""

    counts: Counter = field(default_factory=Counter)
    faults: list[tuple[Outcome, str]] = field(default_factory=list)
    slowest: tuple[Outcome, str] | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, outcome: Outcome, name: str = "") -> None:
        self.counts[outcome.status] += 1
        if outcome.fault:
            self.faults.append((outcome, name))
        if self.slowest is None or outcome.seconds > self.slowest[0].seconds:
            self.slowest = outcome, name


def chunks(count: int, seed: int) -> Iterator[list[Message]]:
    """`count` requests in chunks: half pictures, half tensors and parameters, a few in order; the same for a seed."""
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        rng = random.Random(f"{seed} {start}")
        chunk: list[Message] = []
        generated(requests(), size // 2, rng.randrange(2**32), chunk.append)
        chunk += [message("mtcnn", encoded(*_files(rng))) for _ in range(size - len(chunk))]
        rng.shuffle(chunk)
        chunk[::_SOUND_EACH] = [sound_request()] * len(chunk[::_SOUND_EACH])
        yield chunk


def sound_request() -> Message:
    request = message("mtcnn", encoded(sound_files()[0]))
    request.id = _SOUND
    return request


def _files(rng: random.Random) -> list[bytes]:
    """Mostly one file; several, of which one is damaged, fail together."""
    return [damaged(rng) for _ in range(rng.choice((1, 1, 1, 1, 1, 1, 2, 5)))]


def outcomes(sender: Sender, count: int, seed: int) -> Iterator[Outcome]:
    """Sends `count` requests; what comes of each, its answer left out."""
    answer = sender.one(sound_request()).answer
    assert answer is not None, "a request in order gets no answer, even alone"
    boxes = answer.as_numpy("boxes")
    for chunk in chunks(count, seed):
        for outcome in sender.all(chunk):
            if outcome.request.id == _SOUND and not _same(outcome, boxes):
                outcome = replace(outcome, fault="a request in order did not get its answer")
            yield replace(outcome, answer=None)


def special_outcomes(sender: Sender) -> Iterator[tuple[str, Outcome]]:
    """The name of each special case, and what came of it; one at a time."""
    for name, (status, make) in special_cases().items():
        outcome = sender.one(make())
        if outcome.status != status and NO_FACENET not in outcome.text:
            outcome = replace(outcome, fault=f"status {outcome.status}, must be {status}")
        yield name, replace(outcome, answer=None)


def _same(outcome: Outcome, boxes: np.ndarray) -> bool:
    found = None if outcome.answer is None else outcome.answer.as_numpy("boxes")
    return found is not None and found.shape == boxes.shape and bool(np.allclose(found, boxes, atol=0.01))
