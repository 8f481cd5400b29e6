"""Model `face_embeddings`: FaceNet on the faces of many images together, and what an instance tells of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from face_cascade.calls import Limits
from face_cascade.networks import EMBEDDING_SIZE, FACENET, Network
from face_runtime.answers import CANCELLED, MEMORY, NETWORK, Refused, Request, real_rows, refusing
from face_runtime.bls import ask, ask_with_tensors
from face_runtime.log import Log
from face_runtime.metrics import Counter, Histogram, ProcessMetrics
from face_runtime.stacking import rows

Crops: TypeAlias = Any
"""UINT8 [N,160,160,3], an array or, on a GPU, torch's tensor."""

Embeddings = NDArray[np.float32]

_EMBEDDINGS, _, _WEIGHTS = FACENET.outputs

_SWITCHED = "FaceNet was switched to other weights while these faces were embedded: ask again"

NO_FACENET = "no_facenet"
"""Why requests fail where FaceNet is not loaded."""

NO_MEMORY = "model face_embeddings has too little memory for these faces"


class EmbeddingRequest(Request):
    """crops: those of each of its images, UINT8 [Nᵢ,160,160,3], once it is read."""

    crops: list[Crops]

    def read(self) -> None:
        """Takes the crops without the rows that only fill up; refuses itself where the counts of rows are wrong."""
        with refusing([self], NO_MEMORY):
            counts = self.tensor("num_crops")[:, 0]
            self.crops = real_rows(self.tensor("facenet_crops"), counts, "num_crops", "crops")

    def answer(self, embeddings: Sequence[Embeddings], weights: bytes) -> None:
        """With the embeddings of each image, FP32 [Nᵢ,512], and what gave them."""
        wanted = self.triton.requested_output_names()
        with refusing([self], NO_MEMORY):
            outputs = {
                "embeddings": rows(embeddings, (EMBEDDING_SIZE,), np.float32),
                # Of no faces nothing was asked, whoever shared the batch.
                "weights": np.array([[weights if len(image) else b""] for image in embeddings], np.object_),
            }
            self.give({name: array for name, array in outputs.items() if name in wanted})


class Embedded(NamedTuple):
    """images: the embeddings of each image's crops, FP32 [Nᵢ,512]. weights: what FaceNet says of its own, JSON in
    UTF-8; empty where there was no crop to ask it about."""

    images: list[Embeddings]
    weights: bytes


def embed(images: Sequence[Crops], check: Callable[[], None] = lambda: None) -> Embedded:
    """The embeddings of each image's crops, UINT8 [Nᵢ,160,160,3].

    The crops of all images go together, in equal batches that FaceNet takes. Before each of them, `check` may raise.

    Raises:
        Refused: FaceNet did not answer, or was another one in the midst of it. Whatever the reason, the crops are in
            order and may be sent again: UNAVAILABLE.
    """
    if not images:
        return Embedded([], b"")
    crops = _together(images)
    asked = ask if isinstance(crops, np.ndarray) else _ask_on_device
    limits = Limits()
    batches: list[Embeddings] = []
    weights = b""
    for share in limits.shares(len(crops), limits.facenet):
        check()
        try:
            # The logits stay where they are: thousands a face.
            rows_of_share, told = asked(FACENET, crops[share], (_EMBEDDINGS, _WEIGHTS))
        except Refused as error:
            raise Refused(error.reason, str(error), pb_utils.TritonError.UNAVAILABLE) from error
        batches.append(rows_of_share)
        before, weights = weights, told[0].tobytes()
        if before not in (b"", weights):
            raise Refused(NETWORK, _SWITCHED, pb_utils.TritonError.UNAVAILABLE)
    embeddings = np.concatenate([np.empty((0, EMBEDDING_SIZE), np.float32), *batches])
    return Embedded(np.split(embeddings, np.cumsum([len(image) for image in images])[:-1]), weights)


def _together(images: Sequence[Crops]) -> Crops:
    """The crops of all images, on a GPU where some lie there: they are many times larger than what comes of them."""
    device = next((image.device for image in images if not isinstance(image, np.ndarray)), None)
    if device is None:
        return np.concatenate(images)
    import torch

    return torch.cat([torch.as_tensor(image, device=device) for image in images])


def _ask_on_device(network: Network, batch: Crops, wanted: Sequence[str]) -> tuple[NDArray[Any], ...]:
    return tuple(output.cpu().numpy() for output in ask_with_tensors(network, batch, wanted))


_FACES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


class EmbeddingObserver:
    """Metrics of one instance, and a line in the log for each request that failed."""

    def __init__(self, worker: str) -> None:
        self._log = Log("face_embeddings", worker)
        self._process = ProcessMetrics(worker)
        self._batch = Histogram("face_embeddings_batch_faces", "Faces embedded in one execution", _FACES)
        self._failed = Counter(
            "face_embeddings_failed_requests_total",
            "Requests answered with an error",
            "reason",
            (NO_FACENET, NETWORK, MEMORY, "input", CANCELLED),
        )

    def embedded(self, faces: int) -> None:
        """The faces of one batch have their embeddings."""
        self._batch.observe(faces)

    def executed(self, requests: Sequence[Request]) -> None:
        """All requests of one batch have their outcome."""
        self._process.update()
        for request in requests:
            if request.refusal:
                self._failed.add(1, request.refusal.reason)
                self._log.refused(request.outcome)
