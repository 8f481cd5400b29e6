"""FaceNet on the faces of many images together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_cascade.calls import Limits
from face_cascade.networks import EMBEDDING_SIZE, FACENET
from face_server.runtime.bls import ask

Crops = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


def embed(images: Sequence[Crops]) -> list[Embeddings]:
    """The embeddings of each image's crops: UINT8 [Nᵢ,160,160,3] → FP32 [Nᵢ,512].

    The crops of all images go together, in equal batches that FaceNet takes.

    Raises:
        NetworkError: FaceNet did not answer.
    """
    crops = np.concatenate(images)
    limits = Limits()
    shares = limits.shares(len(crops), limits.facenet)
    # The logits stay where they are: thousands a face.
    batches = [ask(FACENET, crops[share], FACENET.outputs[:1])[0] for share in shares]
    embeddings = np.concatenate([np.empty((0, EMBEDDING_SIZE), np.float32), *batches])
    return np.split(embeddings, np.cumsum([len(image) for image in images])[:-1])


def real_rows(stacked: Crops, counts: NDArray[np.integer]) -> list[Crops]:
    """The first `counts[i]` rows of each `stacked[i]`: what `responses.rows` filled up, undone."""
    return [image[:count] for image, count in zip(stacked, counts, strict=True)]
