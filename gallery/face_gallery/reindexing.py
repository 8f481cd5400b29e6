"""Other weights for FaceNet without losing people: their faces are embedded again, beside the active index.

`reindex` may end at any time and goes on where it ended; `compare` says how both indexes tell the people apart;
`Store.activate` switches, and switches back as long as the old index is there (`Store.drop_index`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client import FaceClient
from face_client.errors import InvalidImage, UnfitWeights
from face_client.images import ImageLike
from face_client.messages import CROP_SIZE, CROPS_PER_REQUEST
from face_client.weights import Weights
from face_gallery.calibration import enrolled, look_up
from face_gallery.records import StoredFace
from face_gallery.register import Register
from face_gallery.store import Embeddings, Store

_LEAST_OVERLAP = 0.5
"""IoU at which a box that is found again in a picture is the one that was enrolled."""

PictureOf = Callable[[StoredFace], "ImageLike | None"]
"""The picture that a face was enrolled from, for faces without a kept crop; None where it is not to be had."""

Tell = Callable[[int], None]
"""Is told how many faces are done."""


@dataclass(frozen=True)
class Reindexed:
    """embedded: how many faces are in the new index now that were not. missing: the ids of those that are not, for want
    of a picture."""

    weights: Weights
    embedded: int
    missing: list[int]


@dataclass(frozen=True)
class Told:
    """How an index tells people apart. right: the share of faces whose nearest other face is of the same person; None
    where nobody has two. own, other: medians of the distance to the nearest face of the same person and of another."""

    weights: Weights
    right: float | None
    own: float | None
    other: float | None


def reindex(
    store: Store,
    client: FaceClient,
    *,
    picture_of: PictureOf = lambda _face: None,
    random_weights: bool = False,
    tell: Tell = lambda _faces: None,
) -> Reindexed:
    """Embed all faces that the index of the server's weights lacks. It does not become the active one.

    One server at a time: which of several has answered is not known, and their weights may differ during a roll.
    Raises UnfitWeights where the server's weights will not do or change meanwhile, FaceError, GalleryError; what was
    embedded before stays.
    """
    weights = Register(store, random_weights=random_weights).check(client.weights())
    embedded = 0
    missing: list[int] = []
    for share in _shares(store.faces(weights.sha256)):
        found = {face.id: crop for face in share if (crop := _crop(face)) is not None}
        rows = dict(zip(found, client.embed(np.stack(list(found.values()))))) if found else {}
        for face in share:
            if face.id not in rows:
                row = _found_again(client, face, picture_of(face), weights)
                if row is None:
                    missing.append(face.id)
                else:
                    rows[face.id] = row
        if client.weights().sha256 != weights.sha256:
            raise UnfitWeights("the server's FaceNet was given other weights meanwhile: reindex again")
        store.add_embeddings(weights, rows)
        embedded += len(rows)
        tell(embedded + len(missing))
    return Reindexed(weights, embedded, missing)


def _shares(faces: Iterable[StoredFace]) -> Iterator[list[StoredFace]]:
    """Of those without an embedding, as many as FaceNet takes at once."""
    share: list[StoredFace] = []
    for face in faces:
        if face.embedding is None:
            share.append(face)
        if len(share) == CROPS_PER_REQUEST:
            yield share
            share = []
    if share:
        yield share


def _crop(face: StoredFace) -> NDArray[np.uint8] | None:
    """The kept picture, as FaceNet saw it: uint8 [160, 160, 3]."""
    if face.crop is None:
        return None
    try:
        pixels = np.asarray(Image.open(io.BytesIO(face.crop)).convert("RGB"))
    except (OSError, ValueError):
        # Whoever imported it has not looked.
        return None
    return pixels if pixels.shape == (CROP_SIZE, CROP_SIZE, 3) else None


def _found_again(
    client: FaceClient, face: StoredFace, picture: ImageLike | None, weights: Weights
) -> Embeddings | None:
    """The embedding of the face that lies where this one lay in its picture."""
    box = face.details.get("box")
    if picture is None or box is None:
        return None
    try:
        faces = client.recognize(picture)
    except (InvalidImage, OSError):
        # It was one when it was enrolled, and is no more.
        return None
    if not len(faces) or faces.embeddings is None or faces.weights is None or faces.weights.sha256 != weights.sha256:
        return None
    overlaps = _overlaps(np.array(box, np.float64), faces.boxes.astype(np.float64))
    best = int(overlaps.argmax())
    found: Embeddings = faces.embeddings[best]
    return found if overlaps[best] >= _LEAST_OVERLAP else None


def _overlaps(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of a box [4] with boxes [N, 4]."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = sides.clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    ious: NDArray[np.float64] = shared / np.maximum(areas - shared, np.finfo(float).tiny)
    return ious


def compare(store: Store, *, random_weights: bool = False, sample: int = 2000) -> list[Told]:
    """How each index tells the same faces apart, those that are in all of them; the active one first."""
    register = Register(store, random_weights=random_weights)
    weights = [index.weights for index in register.indexes()]
    return [_told(register, each, [other for other in weights if other != each], sample) for each in weights]


def _told(register: Register, weights: Weights, others: Sequence[Weights], sample: int) -> Told:
    nearest = look_up(register, weights, enrolled(register, weights, sample, also_in=others))
    own = [each.own for each in nearest if each.own is not None]
    strangers = [each.other for each in nearest if each.other is not None]
    pairs = [(each.own, each.other) for each in nearest if each.own is not None and each.other is not None]
    return Told(
        weights,
        float(np.mean([mine < other for mine, other in pairs])) if pairs else None,
        float(np.median(own)) if own else None,
        float(np.median(strangers)) if strangers else None,
    )
