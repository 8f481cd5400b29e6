"""Model `face_embeddings`: crops of faces in, embeddings out. The crops of all requests of a batch go together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from face_cascade.networks import EMBEDDING_SIZE, FACENET
from face_runtime.answers import Refused, caller_is_gone, failure, rows
from face_runtime.bls import NetworkError, first_trace
from face_runtime.embedding import NETWORK, NO_FACENET, EmbeddingObserver, embed, real_rows

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
        if not pb_utils.is_model_ready(FACENET.name):
            return self._fail(requests, NO_FACENET, _MISSING)
        read = [_read(request) for request in requests]
        good = [images for images in read if not isinstance(images, Refused)]
        try:
            with first_trace(requests):
                found = embed([crops for images in good for crops in images], lambda: _check_callers(requests))
        except NetworkError as error:
            return self._fail(requests, NETWORK, str(error))
        except Refused as gone:
            return self._refuse(requests, [gone] * len(requests))
        self._observer.embedded(sum(map(len, found)))
        embeddings = iter(found)
        outcomes = [r if isinstance(r, Refused) else _response([next(embeddings) for _ in r]) for r in read]
        return self._refuse(requests, outcomes)

    def _fail(self, requests: list[Any], reason: str, message: str) -> list[Any]:
        self._observer.failed(requests, reason, message)
        # Whatever FaceNet's reason: the request is in order, and may be sent again.
        return [failure(message, pb_utils.TritonError.UNAVAILABLE) for _ in requests]

    def _refuse(self, requests: list[Any], outcomes: Sequence[Any]) -> list[Any]:
        """The outcomes, with errors in the place of what is Refused."""
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, Refused):
                self._observer.failed([request], outcome.reason, str(outcome))
        return [o.response() if isinstance(o, Refused) else o for o in outcomes]


def _read(request: Any) -> list[Any] | Refused:
    """The crops of each image of a request, UINT8 [N,160,160,3], without the rows that only fill up."""
    crops, counts = (pb_utils.get_input_tensor_by_name(request, n).as_numpy() for n in ("facenet_crops", "num_crops"))
    wrong = counts[(counts < 0) | (counts > crops.shape[1])]
    if len(wrong):
        return Refused("input", f"num_crops is {wrong[0]}, must be from 0 to {crops.shape[1]}, the crops of an image")
    return real_rows(crops, counts[:, 0])


def _check_callers(requests: list[Any]) -> None:
    if all(request.is_cancelled() for request in requests):
        raise caller_is_gone()


def _response(embeddings: list[Any]) -> Any:
    filled = rows(embeddings, (EMBEDDING_SIZE,), np.float32)
    return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("embeddings", filled)])
