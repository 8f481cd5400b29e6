"""Model `face_embeddings`: crops of faces in, embeddings out. The crops of all requests of a batch go together."""

from typing import Any

import triton_python_backend_utils as pb_utils

from face_cascade.networks import FACENET
from face_runtime.answers import Refused, check_callers, refusing
from face_runtime.bls import first_trace
from face_runtime.embedding import NO_FACENET, NO_MEMORY, EmbeddingObserver, EmbeddingRequest, embed

_MISSING = (
    f"model {FACENET.name} is not loaded, so there are no embeddings: "
    "run `faces export --facenet vggface2` and start the server again"
)


class TritonPythonModel:
    """One instance: a batch of requests at a time."""

    def initialize(self, args: dict[str, str]) -> None:
        self._observer = EmbeddingObserver(args["model_instance_name"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with an embedding a face, or all with
        FaceNet's error."""
        batch = [EmbeddingRequest(request) for request in requests]
        with refusing(batch, NO_MEMORY):
            if not pb_utils.is_model_ready(FACENET.name):
                raise Refused(NO_FACENET, _MISSING, pb_utils.TritonError.UNAVAILABLE)
            for request in batch:
                request.read()
            good = [request for request in batch if request.is_open]
            with first_trace(requests):
                found = embed([crops for request in good for crops in request.crops], lambda: check_callers(good))
            self._observer.embedded(sum(map(len, found.images)))
            embeddings = iter(found.images)
            for request in good:
                request.answer([next(embeddings) for _ in request.crops], found.weights)
        self._observer.executed(batch)
        return [request.response() for request in batch]
