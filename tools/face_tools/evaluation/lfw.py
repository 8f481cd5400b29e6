"""Labeled Faces in the Wild: its pairs, embeddings for its pictures, and how well they tell the pairs apart.

The list of pairs (View 2), also of sets in its format: the first line has the number of folds and of pairs of each kind
in a fold ("10  300"), or the latter alone (View 1, one fold). Each fold is so many lines "name  n1  n2", the same
person, and then as many "name1  n1  name2  n2", two people. Source: vis-www.cs.umass.edu/lfw/README.txt.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import InvalidInput
from face_client.faces import Faces
from face_client.messages import CROP_SIZE
from face_client.options import DetectOptions
from face_pictures.decoding import decode_image
from face_tools.connection import check_weights
from face_tools.evaluation.results import Record, ResultsFile
from face_tools.evaluation.verification import FoldAccuracy, Roc, fold_accuracy, roc

if TYPE_CHECKING:
    from face_client import FaceClient
    from face_client.faces import BatchAnswer


PAIRS_FILE = "pairs.txt"

FARS = (1e-3, 1e-2)

# The set's pictures are face detections enlarged by 2.2 in each dimension (its README).
_ENLARGED = 2.2
# Rounding moves an embedding by 1e-3, a crop that is cut a pixel off by some 0.1, other networks by 1 and more.
_SAME_DISTANCE = 0.4


class Pair(NamedTuple):
    """Two pictures by name, "person/person_0001.jpg". fold: from 0."""

    first: str
    second: str
    same: bool
    fold: int


def read_pairs(path: Path) -> list[Pair]:
    """The pairs in the order of the file. Raises InvalidInput for another format, OSError."""
    lines = [_columns(line) for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    folds, each = _header(path, lines[0] if lines else [])
    body = [(number, columns) for number, columns in enumerate(lines[1:], start=2) if columns]
    if len(body) != 2 * folds * each:
        raise InvalidInput(
            f"{path} has {len(body)} pairs; its first line tells of {folds} x 2 x {each} = {2 * folds * each}"
        )
    return [_pair(path, number, columns, *divmod(i, 2 * each), each) for i, (number, columns) in enumerate(body)]


def spread(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """About `count` pairs, as many of each kind from each fold; at least one. All for None."""
    if count is None:
        return list(pairs)
    kinds = list(dict.fromkeys((pair.fold, pair.same) for pair in pairs))
    each = max(1, count // len(kinds))
    return [pair for kind in kinds for pair in [p for p in pairs if (p.fold, p.same) == kind][:each]]


def pictures_of(pairs: Sequence[Pair]) -> list[str]:
    """The names of their pictures, each once."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))


def _columns(line: str) -> list[str]:
    """By tabs where there are any: a name may hold spaces."""
    return [column.strip() for column in line.split("\t")] if "\t" in line.strip() else line.split()


def _header(path: Path, columns: Sequence[str]) -> tuple[int, int]:
    if len(columns) not in (1, 2) or not all(column.isdigit() and int(column) > 0 for column in columns):
        raise InvalidInput(f"{path} is no list of pairs: its first line must be the numbers of folds and pairs, 10 300")
    return (1, int(columns[0])) if len(columns) == 1 else (int(columns[0]), int(columns[1]))


def _pair(path: Path, number: int, columns: Sequence[str], fold: int, place: int, each: int) -> Pair:
    """place: of the pair in its fold; the first `each` are of one person."""
    same = place < each
    try:
        if same:
            name, first, second = columns
            return Pair(_picture(name, first), _picture(name, second), same, fold)
        name, first, other, second = columns
        return Pair(_picture(name, first), _picture(other, second), same, fold)
    except ValueError as error:
        wanted = "name, number, number" if same else "name, number, name, number"
        raise InvalidInput(f"{path}, line {number}: expected {wanted}, found {' '.join(columns)!r}") from error


def _picture(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"


@dataclass(frozen=True)
class EmbeddingTask:
    """See `results.Task`. Keeps of each picture one embedding and whether a face was found.

    mirror: put the embedding of the mirrored crop behind that of the crop, both by √½, as David Sandberg's
    validation has it: a squared distance is then the mean of the two.
    random_weights: the server's FaceNet may have them; the results then say so.
    """

    client: FaceClient
    options: DetectOptions
    in_flight: int
    mirror: bool = False
    random_weights: bool = False

    keys = ("embedding", "face")

    @property
    def models(self) -> Sequence[str]:
        """The one that finds faces may be ready where the one that embeds them is not."""
        return (self.client.recognizer, self.client.embedder)

    def settings(self) -> Record:
        """What the results depend on."""
        allowed = {"random_weights": True} if self.random_weights else {}
        return {"set": "lfw", "parameters": dict(self.options), "mirror": self.mirror, **allowed}

    def check(self) -> None:
        """Raises UnfitWeights for random ones, unless they are allowed."""
        check_weights(self.client, "evaluate lfw", self.random_weights)

    def answers(self, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        return self.client.recognize_each(paths, crops=self.mirror, in_flight=self.in_flight, **self.options)

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

    def rows(self) -> Iterator[tuple[str, str]]:
        """A line of text for each measure: its name and value."""
        accuracy = self.accuracy
        yield "pairs", str(self.pairs)
        yield "accuracy", f"{accuracy.mean:.4f} ± {accuracy.standard_deviation:.4f}"
        yield "standard error", f"{accuracy.standard_error:.4f}"
        yield "threshold (distance)", f"{accuracy.thresholds.min():.3f} to {accuracy.thresholds.max():.3f}"
        yield "area under ROC curve", f"{self.roc.area:.4f}"
        yield "equal error rate", f"{self.roc.equal_error_rate:.4f}"
        for far in FARS:
            tar = self.roc.tar_at(far)
            yield f"TAR at FAR {far:g}", "too few pairs" if tar is None else f"{tar:.4f}"
        yield "pictures without a face", str(len(self.without_face))


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
