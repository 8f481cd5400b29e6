"""FaceNet on the faces of many images together."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from face_cascade.calls import Limits
from face_cascade.networks import EMBEDDING_SIZE, FACENET
from face_server.runtime.bls import ask

Crops = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


def embed(images: Sequence[Crops], check: Callable[[], None] = lambda: None) -> list[Embeddings]:
    """The embeddings of each image's crops: UINT8 [Nᵢ,160,160,3] → FP32 [Nᵢ,512].

    The crops of all images go together, in equal batches that FaceNet takes. Before each of them, `check` may raise.

    Raises:
        NetworkError: FaceNet did not answer.
    """
    if not images:
        return []
    crops = np.concatenate(images)
    limits = Limits()
    shares = limits.shares(len(crops), limits.facenet)
    # The logits stay where they are: thousands a face.
    batches: list[Embeddings] = []
    for share in shares:
        check()
        batches += ask(FACENET, crops[share], FACENET.outputs[:1])
    embeddings = np.concatenate([np.empty((0, EMBEDDING_SIZE), np.float32), *batches])
    return np.split(embeddings, np.cumsum([len(image) for image in images])[:-1])


def real_rows(stacked: Crops, counts: NDArray[np.integer]) -> list[Crops]:
    """The first `counts[i]` rows of each `stacked[i]`: what `responses.rows` filled up, undone."""
    return [image[:count] for image, count in zip(stacked, counts, strict=True)]
