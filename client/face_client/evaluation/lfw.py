"""Embeddings for the pictures of Labeled Faces in the Wild, and how well they tell its pairs apart."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.batches import BatchAnswer
from face_client.errors import InvalidInput
from face_client.evaluation.lfw_pairs import Pair
from face_client.evaluation.results_file import Record, ResultsFile
from face_client.evaluation.verification import FoldAccuracy, Roc, fold_accuracy, roc
from face_client.face_crops import CROP_SIZE
from face_client.faces import Faces
from face_client.images import decode_image
from face_client.options import DetectOptions

if TYPE_CHECKING:
    from face_client.client import FaceClient

FARS = (1e-3, 1e-2)

OPTIONS = DetectOptions(selection="center_weighted_size", margin=14)
"""As facenet-pytorch's own evaluation on this set has it (examples/lfw_evaluate.ipynb): the person who is
meant stands in the centre, and some background is cut with the face."""

# The set's pictures are face detections enlarged by 2.2 in each dimension (its README).
_ENLARGED = 2.2
# Rounding moves an embedding by 1e-3, a crop that is cut a pixel off by some 0.1, other networks by 1 and more.
_SAME_DISTANCE = 0.4


@dataclass(frozen=True)
class EmbeddingTask:
    """See `collect.Task`. Keeps of each picture one embedding and whether a face was found.

    mirror: put the embedding of the mirrored crop behind that of the crop, both by √½, as David Sandberg's
    validation has it: a squared distance is then the mean of the two.
    """

    client: FaceClient
    options: DetectOptions
    in_flight: int
    mirror: bool = False

    @property
    def models(self) -> Sequence[str]:
        """The one that finds faces may be ready where the one that embeds them is not."""
        return (self.client.recognizer, self.client.embedder)

    def settings(self) -> Record:
        """What the results depend on."""
        return {"set": "lfw", "parameters": dict(self.options), "mirror": self.mirror}

    def answers(self, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        return self.client.recognize_batch(
            paths, crops=self.mirror, in_flight=self.in_flight, on_error="return", **self.options
        )

    def record(self, path: Path, faces: Faces) -> Record:
        """Without a face, of the centre crop."""
        if faces:
            embedding, crop = faces[0].embedding, faces[0].crop
        else:
            crop = centre_crop(decode_image(path.read_bytes()))
            embedding = self.client.embed([crop])[0]
        if self.mirror:
            mirrored = self.client.embed([crop[:, ::-1]])[0]
            embedding = np.concatenate([embedding, mirrored]) * np.float32(0.5**0.5)
        return {"embedding": _encode(embedding), "face": len(faces) > 0}

    def agrees(self, stored: Record, now: Record) -> bool | None:
        difference = _decode(stored["embedding"]) - _decode(now["embedding"])
        return float(np.linalg.norm(difference)) <= _SAME_DISTANCE


@dataclass(frozen=True)
class LfwReport:
    """pairs: that were measured. without_face: pictures whose centre crop stands in."""

    accuracy: FoldAccuracy
    roc: Roc
    pairs: int
    skipped_pairs: int
    pictures: int
    without_face: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "accuracy": self.accuracy.mean,
            "standard_deviation": self.accuracy.standard_deviation,
            "standard_error": self.accuracy.standard_error,
            "folds": [
                {"accuracy": float(accuracy), "threshold": float(threshold)}
                for accuracy, threshold in zip(self.accuracy.accuracies, self.accuracy.thresholds)
            ],
            "area_under_curve": self.roc.area,
            "equal_error_rate": self.roc.equal_error_rate,
            "tar_at_far": {f"{far:g}": self.roc.tar_at(far) for far in FARS},
            "pairs": self.pairs,
            "skipped_pairs": self.skipped_pairs,
            "pictures": self.pictures,
            "without_face": self.without_face,
        }


def measure(pairs: Sequence[Pair], results: ResultsFile) -> LfwReport:
    """Hold the pairs against the results; those with a picture that has none are left out.

    Raises InvalidInput where too few are left: two folds and both kinds are needed.
    """
    known = [pair for pair in pairs if pair.first in results and pair.second in results]
    if not known:
        raise InvalidInput("no pair has both of its pictures")
    distances = distances_of(known, results)
    same = np.array([pair.same for pair in known])
    names = dict.fromkeys(name for pair in known for name in (pair.first, pair.second))
    return LfwReport(
        accuracy=fold_accuracy(distances, same, np.array([pair.fold for pair in known])),
        roc=roc(distances, same),
        pairs=len(known),
        skipped_pairs=len(pairs) - len(known),
        pictures=len(names),
        without_face=[name for name in names if not results[name]["face"]],
    )


def distances_of(pairs: Sequence[Pair], results: ResultsFile) -> NDArray[np.float64]:
    """Euclidean distances [N], 0…2, of the pairs' embeddings."""
    first = np.stack([_decode(results[pair.first]["embedding"]) for pair in pairs])
    second = np.stack([_decode(results[pair.second]["embedding"]) for pair in pairs])
    return np.asarray(np.linalg.norm(first - second, axis=1))


def centre_crop(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The square in the middle of a picture [H, W, 3] where the set's own detector saw the face, as uint8
    [160, 160, 3], bilinear."""
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) / _ENLARGED))
    left, top = (width - side) // 2, (height - side) // 2
    square = Image.fromarray(image[top : top + side, left : left + side])
    return np.array(square.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BILINEAR))


def _encode(embedding: NDArray[np.float32]) -> str:
    return base64.b64encode(embedding.astype("<f4").tobytes()).decode("ascii")


def _decode(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)
