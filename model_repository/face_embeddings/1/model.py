"""Model `face_embeddings`: crops of faces in, embeddings out. The crops of all requests of a batch go together."""

from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from face_cascade.networks import EMBEDDING_SIZE, FACENET
from face_server.runtime.bls import NetworkError, first_trace
from face_server.runtime.embedding import embed, real_rows
from face_server.runtime.embedding_observer import NETWORK, NO_FACENET, EmbeddingObserver
from face_server.runtime.responses import failure, rows

_MISSING = (
    f"model {FACENET.name} is not loaded, so there are no embeddings: "
    "run `faces export --facenet vggface2` and start the server again"
)


class TritonPythonModel:
    """One instance: a batch of requests at a time."""

    def initialize(self, args: dict[str, str]) -> None:
        self._observer = EmbeddingObserver(args["model_instance_name"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request with an embedding a face, or all with FaceNet's error."""
        if not pb_utils.is_model_ready(FACENET.name):
            return self._fail(requests, NO_FACENET, _MISSING)
        images = [_images(request) for request in requests]
        try:
            with first_trace(requests):
                found = embed([crops for request in images for crops in request])
        except NetworkError as error:
            return self._fail(requests, NETWORK, str(error))
        self._observer.embedded(sum(map(len, found)))
        embeddings = iter(found)
        return [_response([next(embeddings) for _ in request]) for request in images]

    def _fail(self, requests: list[Any], reason: str, message: str) -> list[Any]:
        self._observer.failed(requests, reason, message)
        # Whatever FaceNet's reason: the request is in order, and may be sent again.
        return [failure(message, pb_utils.TritonError.UNAVAILABLE) for _ in requests]


def _images(request: Any) -> list[Any]:
    """The crops of each image of a request, UINT8 [N,160,160,3], without the rows that only fill up."""
    crops, counts = (pb_utils.get_input_tensor_by_name(request, n).as_numpy() for n in ("facenet_crops", "num_crops"))
    return real_rows(crops, counts[:, 0])


def _response(embeddings: list[Any]) -> Any:
    filled = rows(embeddings, (EMBEDDING_SIZE,), np.float32)
    return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("embeddings", filled)])
