"""A run of the fuzz: requests by a seed, sent many at a time, and a verdict on what comes back."""

import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import grpc
import numpy as np
from tritonclient.grpc import InferResult, service_pb2_grpc

from tests.e2e.fuzz.messages import Message, encoded, message
from tests.e2e.fuzz.pictures import damaged, sound_files
from tests.e2e.fuzz.special import special_cases
from tests.e2e.fuzz.strategies import generated, requests

# Whoever waits so long for a small picture waits for something that hangs.
DEADLINE_S = 120

REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND")
"""What a request that is wrong may hear: it is wrong, or there is no such model."""

NO_FACENET = "model facenet is not loaded"
"""What those hear who ask for embeddings where no FaceNet was exported; in order, and UNAVAILABLE."""

IN_FLIGHT = 24

CHUNK = 250

# One in so many requests is in order; its answer must not change, whatever its neighbours are.
_SOUND_EACH = 25
_SOUND = "sound"


@dataclass(frozen=True)
class Outcome:
    """status: gRPC's. text: the error's. fault: what is wrong with all this, empty where nothing is."""

    request: Message
    status: str
    seconds: float
    text: str
    fault: str
    answer: InferResult | None = None


class Sender:
    """One server. Use `with`, or close it."""

    def __init__(self, url: str) -> None:
        sizes = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        self._channel = grpc.insecure_channel(url, options=sizes)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._channel.close()

    def all(self, requests: Iterable[Message]) -> Iterator[Outcome]:
        """The outcomes in order; so many are on their way together that Triton puts them in batches."""
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            yield from pool.map(self.one, requests)

    def one(self, request: Message) -> Outcome:
        started = time.monotonic()
        try:
            response = self._stub.ModelInfer(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            status, text = error.code().name, error.details() or ""
            fault = "" if status in REFUSALS or NO_FACENET in text else f"status {status}"
            fault = fault or loose_talk(without_names(text, request))
            return Outcome(request, status, time.monotonic() - started, text, fault)
        answer = InferResult(response)
        return Outcome(request, "OK", time.monotonic() - started, "", contradiction(request, answer), answer)


def without_names(sentence: str, request: Message) -> str:
    """The sentence without what the caller called things: a name may look like a path, and comes back as it was."""
    names = [
        request.model_name,
        request.id,
        *request.parameters,
        *(t.name for t in (*request.inputs, *request.outputs)),
    ]
    for name in sorted(filter(None, names), key=len, reverse=True):
        sentence = sentence.replace(f"'{name}'", "''")
    return sentence


def loose_talk(sentence: str) -> str:
    """What an error says that is not for callers; empty where it says nothing of the kind."""
    for what, pattern in (
        ("a traceback", "Traceback"),
        ("a path", r"(^|[\s'\"(])/\w+/\w|\.py\b"),
        ("an address", r"\b0x[0-9a-f]{6}"),
    ):
        if re.search(pattern, sentence):
            return f"the error shows {what}"
    return "" if 0 < len(sentence) < 2000 else f"the error has {len(sentence)} characters"


def contradiction(request: Message, answer: InferResult) -> str:
    """What is wrong with faces that were found; empty where nothing is."""
    if request.model_name != "mtcnn" or any(output.parameters for output in request.outputs):
        return ""
    arrays = {output.name: answer.as_numpy(output.name) for output in answer.get_response().outputs}
    boxes, faces = arrays.get("boxes"), arrays.get("num_faces")
    if boxes is None or faces is None:
        return ""
    if boxes.shape != (len(faces), faces.max(), 4):
        return f"boxes have shape {boxes.shape} for {faces.tolist()} faces"
    floats = [array for array in arrays.values() if array.dtype == np.float32]
    return "" if all(np.isfinite(array).all() for array in floats) else "an answer is not finite"


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
