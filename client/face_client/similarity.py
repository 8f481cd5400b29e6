"""How alike faces are, by their embeddings.

Embeddings of FaceNet have length 1. Two measures are in use, and say the same: the Euclidean distance d, from 0 (the
same picture) to 2, and the cosine c of the angle between them, from 1 to −1; d² = 2 − 2c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput, NoFace, UnfitWeights
from face_client.faces import Faces

SAME_DISTANCE = 1.1
"""Below this Euclidean distance two faces count as one person's. As a cosine: 0.395.

The FaceNet paper (Schroff et al. 2015, arXiv:1503.03832) found its best threshold on Labeled Faces in the Wild at
1.242 (section 5.6), of squared distances as section 4 has them: a distance of 1.114. A user of David Sandberg's
FaceNet, whose weights are the ones served here, found 1.24 by the same protocol (davidsandberg/facenet, issue 640).

It is where false matches and missed ones together are fewest, among press photos of celebrities. Where a false match
costs more, take a lower one, found on pictures of your own.
"""


RANDOM_WEIGHTS = "the server's FaceNet has random weights, so its embeddings tell nobody apart"
"""What everybody is told who asks such a one."""


class Comparison(NamedTuple):
    """Two faces compared. distance: Euclidean, 0 to 2. cosine: 1 to -1. same: distance below the threshold."""

    distance: float
    cosine: float
    same: bool


def compare_embeddings(a: NDArray[np.float32], b: NDArray[np.float32], threshold: float = SAME_DISTANCE) -> Comparison:
    """Two embeddings [D], compared by their directions: they need not have length 1."""
    rows = a[np.newaxis], b[np.newaxis]
    distance = float(distances(*rows)[0, 0])
    return Comparison(distance, float(cosines(*rows)[0, 0]), distance < threshold)


def compare_faces(a: Faces, b: Faces, threshold: float = SAME_DISTANCE, *, random_weights: bool = False) -> Comparison:
    """The first face of each of two images, with embeddings.

    random_weights: go on where the embeddings are of a FaceNet that was never trained, and tell nobody apart.
    Raises NoFace where an image has none; UnfitWeights for random weights, or two different ones.
    """
    for faces, which in ((a, "first"), (b, "second")):
        if not faces:
            raise NoFace(f"no face was found in the {which} image; a comparison needs one in each")
    if a.embeddings is None or b.embeddings is None:
        raise InvalidInput("the faces have no embeddings; ask for them with recognize")
    check_comparable((a, b), random_weights)
    return compare_embeddings(a.embeddings[0], b.embeddings[0], threshold)


def check_comparable(answers: Iterable[Faces], random_weights: bool = False) -> None:
    """Raises UnfitWeights where embeddings are of random weights, unless these are allowed, or of different ones."""
    known = {answer.weights.sha256: answer.weights for answer in answers if answer.weights is not None}
    if not random_weights and any(weights.random for weights in known.values()):
        raise UnfitWeights(f"{RANDOM_WEIGHTS}; give it trained ones with `faces export --facenet vggface2`")
    if len(known) > 1:
        names = " and ".join(f"{weights.name} ({digest[:12]})" for digest, weights in known.items())
        raise UnfitWeights(f"the faces were embedded with different weights, {names}, and cannot be compared")


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean distances of each row of a [N, D] from each of b [M, D], rows scaled to length 1: float64 [N, M]."""
    return np.sqrt(np.maximum(2 - 2 * cosines(a, b), 0))


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosines of the angles between the rows of a [N, D] and those of b [M, D]: float64 [N, M], within -1…1.

    A row of zeros, which stands for no face, is at right angles to all.
    """
    # In double precision: of nearly equal rows a distance is the root of a small difference.
    return np.clip(_unit(a) @ _unit(b).T, -1, 1)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    rows64 = rows.astype(np.float64)
    lengths = np.linalg.norm(rows64, axis=1, keepdims=True)
    return np.divide(rows64, lengths, out=np.zeros_like(rows64), where=lengths > 0)
