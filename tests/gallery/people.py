"""Made people: unit vectors around a centre each, as FaceNet's are around a person."""

import numpy as np

from face_client.faces import Faces
from face_client.weights import Weights
from face_gallery.records import NewFace
from face_gallery.store import Enrolment, Store

TRAINED = Weights("trained.pt", "0f" * 32, random=False)
OTHERS = Weights("others.pt", "aa" * 32, random=False)
UNTRAINED = Weights("RandomState(0)", "f0" * 32, random=True)


def units(count: int, seed: int = 0, size: int = 512) -> np.ndarray:
    """Random directions: float32 [count, size]."""
    rows = np.random.default_rng(seed).standard_normal((count, size), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def near(rows: np.ndarray, spread: float, seed: int = 4711) -> np.ndarray:
    """Rows of length 1 around each of them: the larger the spread, the farther."""
    moved = rows + spread * units(len(rows), seed, rows.shape[1])
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def enrol(
    store: Store, rows: np.ndarray, names=None, weights=TRAINED, collection="default", metadata=None
) -> list[int]:
    """A person a row, `p0`, `p1`, … if no names are given; the ids of the faces."""
    names = names or [f"p{number}" for number in range(len(rows))]
    enrolments = [Enrolment(collection, name, metadata, [NewFace(row)]) for name, row in zip(names, rows, strict=True)]
    return [face for faces in store.enrol(enrolments, weights) for face in faces]


def faces_of(rows: np.ndarray, weights: Weights | None = TRAINED) -> Faces:
    """As `recognize` gives them: a face a row, side by side, with crops of noise."""
    count = len(rows)
    boxes = np.array([[100 * i, 10, 100 * i + 80, 110] for i in range(count)], np.float32).reshape(count, 4)
    points = np.array([[25, 40], [55, 40], [40, 60], [28, 80], [52, 80]], np.float32)
    return Faces(
        boxes=boxes,
        probabilities=np.full(count, 0.99, np.float32),
        landmarks=(points + boxes[:, np.newaxis, :2]).astype(np.float32),
        width=100 * count + 100,
        height=200,
        crops=np.random.default_rng(0).integers(0, 256, (count, 160, 160, 3), np.uint8),
        embeddings=rows.astype(np.float32),
        weights=weights,
    )
