"""Which faces of many pictures are one person's, by their embeddings.

    from face_client import FaceClient
    from face_tools.clustering import cluster

    with FaceClient() as client:
        clusters = cluster(client, paths)
    for label in range(len(clusters)):
        print(label, [paths[clusters.images[number]] for number in clusters.members(label)])

Needs SciPy, the extra `cluster`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput
from face_client.faces import Face, Faces
from face_client.options import DEFAULT_IN_FLIGHT
from face_client.similarity import SAME_DISTANCE, check_comparable, distances
from face_tools import need_extra

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client import FaceClient
    from face_client.images import ImageLike
    from face_client.options import DetectOptions

UNCLUSTERED = -1
"""The label of a face that is with no other."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """faces: of all pictures, in their order. images: for each of them, which picture it is from (0 is the first).
    labels: int64 [N], its cluster, 0 the largest; UNCLUSTERED where it has none."""

    faces: Sequence[Face]
    images: Sequence[int]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """How many clusters."""
        return int(self.labels.max(initial=UNCLUSTERED)) + 1

    def members(self, label: int) -> list[int]:
        """The numbers of a cluster's faces, or those of UNCLUSTERED."""
        members: list[int] = np.flatnonzero(self.labels == label).tolist()
        return members


def cluster(
    client: FaceClient,
    images: Iterable[ImageLike],
    *,
    distance: float = SAME_DISTANCE,
    min_faces: int = 2,
    random_weights: bool = False,
    crops: bool = False,
    max_side: int | None = None,
    in_flight: int = DEFAULT_IN_FLIGHT,
    **options: Unpack[DetectOptions],
) -> Clusters:
    """Which faces of the images are one person's: `recognize_batch`, and `cluster_embeddings` of what it finds.

    distance, min_faces: see there. random_weights: as for `cluster_faces`. The other arguments and the errors are those
    of `recognize_batch`, and UnfitWeights.
    """
    answers = client.recognize_batch(images, crops=crops, max_side=max_side, in_flight=in_flight, **options)
    return cluster_faces(answers, distance, min_faces, random_weights)


def cluster_faces(
    pictures: Iterable[Faces], distance: float = SAME_DISTANCE, min_faces: int = 2, random_weights: bool = False
) -> Clusters:
    """The faces of many pictures, as `recognize` gives them, clustered; see `cluster_embeddings`.

    random_weights: cluster also where the embeddings are of a FaceNet that was never trained, and tell nobody apart.
    Raises InvalidInput where faces have no embeddings; UnfitWeights, as soon as it is seen, where these are of random
    weights or of different ones.
    """
    found = [(number, face) for number, faces in enumerate(_comparable(pictures, random_weights)) for face in faces]
    rows = [face.embedding for _, face in found if face.embedding is not None]
    if len(rows) < len(found):
        raise InvalidInput("the faces have no embeddings; ask for them with recognize")
    labels = cluster_embeddings(np.stack(rows) if rows else np.empty((0, 1), np.float32), distance, min_faces)
    return Clusters([face for _, face in found], [number for number, _ in found], labels)


def _comparable(pictures: Iterable[Faces], random_weights: bool) -> Iterator[Faces]:
    first: Faces | None = None
    for faces in pictures:
        first = first or faces
        check_comparable((first, faces), random_weights)
        yield faces


def cluster_embeddings(
    embeddings: NDArray[np.float32], distance: float = SAME_DISTANCE, min_faces: int = 2
) -> NDArray[np.int64]:
    """The cluster of each row of embeddings [N, D]: int64 [N], 0 the largest, UNCLUSTERED for those that have none.

    Average linkage (Sokal and Michener 1958): the two clusters whose faces are nearest on average become one, as long
    as that average is at most `distance`. Unlike with single linkage or DBSCAN, no chain of look-alikes joins two
    persons. Memory is for N² / 2 distances, 400 MB for 10,000 faces, and for copies of them.

    distance: Euclidean, 0 to 2, between embeddings scaled to length 1.
    min_faces: smaller clusters are none.
    Raises InvalidInput for arguments that make no sense, ImportError without the extra `cluster`.
    """
    if not 0 <= distance <= 2:
        raise InvalidInput(f"distance is {distance}; it must be from 0 to 2")
    if min_faces < 1:
        raise InvalidInput(f"min_faces is {min_faces}; it must be at least 1")
    if len(embeddings) == 0:
        return np.empty(0, np.int64)
    return _by_size(_linked(embeddings, distance), min_faces)


def _linked(embeddings: NDArray[np.float32], distance: float) -> NDArray[Any]:
    """A number of its cluster for each row, any numbers."""
    need_extra("cluster")
    from scipy.cluster import hierarchy

    if len(embeddings) == 1:
        return np.zeros(1, np.int64)
    tree = hierarchy.linkage(_pairwise(embeddings), "average")
    numbers: NDArray[Any] = hierarchy.fcluster(tree, distance, "distance")
    return numbers


def _pairwise(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """The distance of each row from every later one, one after the other, as SciPy wants them."""
    rows = [distances(embeddings[row : row + 1], embeddings[row + 1 :])[0] for row in range(len(embeddings) - 1)]
    return np.concatenate(rows)


def _by_size(numbers: NDArray[Any], min_faces: int) -> NDArray[np.int64]:
    """The clusters numbered anew: the largest first, of equal ones the one that starts first."""
    _, first, inverse, counts = np.unique(numbers, return_index=True, return_inverse=True, return_counts=True)
    labels = np.empty(len(counts), np.int64)
    labels[np.lexsort((first, -counts))] = np.arange(len(counts))
    labels[counts < min_faces] = UNCLUSTERED
    renamed: NDArray[np.int64] = labels[inverse.reshape(-1)]
    return renamed
