"""Sends messages to a server, many at a time, and judges what comes back."""

import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import numpy as np
from tritonclient.grpc import InferResult, service_pb2_grpc

from tests.e2e.fuzz.messages import Message

# Whoever waits so long for a small picture waits for something that hangs.
DEADLINE_S = 120

REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND")
"""What a request that is wrong may hear: it is wrong, or there is no such model."""

NO_FACENET = "model facenet is not loaded"
"""What those hear who ask for embeddings where no FaceNet was exported; in order, and UNAVAILABLE."""

IN_FLIGHT = 24


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
            fault = fault or loose_talk(text)
            return Outcome(request, status, time.monotonic() - started, text, fault)
        answer = InferResult(response)
        return Outcome(request, "OK", time.monotonic() - started, "", contradiction(request, answer), answer)


def loose_talk(sentence: str) -> str:
    """What an error says that is not for callers; empty where it says nothing of the kind."""
    for what, pattern in (
        ("a traceback", "Traceback"),
        ("a path", r"(^|[\s'\"(])/\w+/\w|\.py\b"),
        ("an address", "0x[0-9a-f]{6}"),
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
