"""A gallery as a Parquet file, for other tools, for another store, and as a backup: a row a face.

    collection, person   text        created   seconds since 1970, of the person
    metadata             JSON        added     seconds since 1970, of the face
    details              JSON: where the face comes from and how good it is
    embedding            float32 [512], of the active index
    crop                 the face's picture as a file; null where none was kept

Somebody without faces has one row, in which everything of a face is null. The file's own metadata says which network's
weights gave the embeddings (`face_gallery`: JSON with name, sha256 and random), and its calibration. Needs pyarrow, the
extra `parquet`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from face_client.errors import InvalidInput
from face_client.weights import Weights
from face_gallery.enrolling import check_metadata
from face_gallery.errors import UnknownPerson
from face_gallery.records import Index, NewFace, Person, StoredFace, checked_embedding, checked_name
from face_gallery.store import Enrolment, Store

_KEY = b"face_gallery"
_FORMAT = 1
_ROWS = 1000
"""In memory at a time: with pictures some 40 MB."""

SCHEMA = pa.schema(
    [
        ("collection", pa.string()),
        ("person", pa.string()),
        ("metadata", pa.string()),
        ("created", pa.float64()),
        ("added", pa.float64()),
        ("details", pa.string()),
        ("embedding", pa.list_(pa.float32())),
        ("crop", pa.binary()),
    ]
)

Tell = Callable[[int], None]
"""Is told how many rows are done."""


def export(store: Store, path: str | os.PathLike[str], tell: Tell = lambda _rows: None) -> int:
    """Write everybody who is enrolled; how many rows that were. The file is there as a whole or not at all.

    Raises GalleryError, OSError.
    """
    target = Path(path)
    index = store.active_index()
    rows = 0
    # Nobody else's to read, as a gallery is.
    number, name = tempfile.mkstemp(prefix=".faces-", suffix=".part", dir=target.parent)
    os.close(number)
    part = Path(name)
    try:
        with pq.ParquetWriter(part, SCHEMA.with_metadata({_KEY: _about(index)}), compression="zstd") as writer:
            for batch in _batches(_rows_of(store, None if index is None else index.weights.sha256)):
                writer.write_table(pa.Table.from_pylist(batch, SCHEMA))
                rows += len(batch)
                tell(rows)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return rows


def is_export(path: Path) -> bool:
    """Whether a file is one that `export` wrote."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return False
    return _KEY in metadata


def _about(index: Index | None) -> bytes:
    told: dict[str, Any] = {"format": _FORMAT}
    if index is not None:
        told |= {"weights": index.weights.to_dict(), "calibration": index.calibration}
    return json.dumps(told).encode()


def _rows_of(store: Store, weights: str | None) -> Iterator[dict[str, Any]]:
    for person in store.people():
        of_person = {
            "collection": person.collection,
            "person": person.name,
            "metadata": json.dumps(dict(person.metadata)),
            "created": person.created,
        }
        if not person.faces:
            yield of_person
        for face in store.faces(weights, person.id):
            yield {**of_person, **_of_face(face)}


def _of_face(face: StoredFace) -> dict[str, Any]:
    return {
        "added": face.added,
        "details": json.dumps(dict(face.details)),
        "embedding": None if face.embedding is None else face.embedding.tolist(),
        "crop": face.crop,
    }


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


class Imported(NamedTuple):
    """How many faces are new; how many the file has without an embedding of its network, which cannot be enrolled."""

    faces: int
    without_embedding: int


def import_(store: Store, path: str | os.PathLike[str], tell: Tell = lambda _rows: None) -> Imported:
    """Add everybody in such a file, all or none. Faces that are enrolled already are left out, and whoever is there
    keeps the metadata.

    Raises InvalidInput for a file that is none, or with a row that cannot be; UnfitWeights where its embeddings are of
    another network than those of the gallery; GalleryError, OSError.
    """
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"{path} is no Parquet file") from error
    with file:
        told = _told(file, path)
        weights = Weights.parse(json.dumps(told["weights"])) if "weights" in told else None
        known = _Known(store, "" if weights is None else weights.sha256)
        enrolments = _enrolments(known, file, tell)
        if weights is None:
            if next(enrolments, None) is not None:
                raise InvalidInput(f"{path} does not say which network its embeddings are of")
            return Imported(0, 0)
        is_first = not store.indexes()
        added = sum(len(faces) for faces in store.enrol(enrolments, weights))
        if is_first and told.get("calibration"):
            store.calibrate(weights.sha256, told["calibration"])
        return Imported(added, known.without_embedding)


def _told(file: pq.ParquetFile, path: str | os.PathLike[str]) -> Mapping[str, Any]:
    try:
        told: dict[str, Any] = json.loads((file.schema_arrow.metadata or {})[_KEY])
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"{path} is no gallery: `faces gallery export` writes such files") from error
    missing = [name for name in SCHEMA.names if name not in file.schema_arrow.names]
    if missing or told.get("format") != _FORMAT:
        what = f"it lacks {', '.join(missing)}" if missing else f"its format is {told.get('format')}, not {_FORMAT}"
        raise InvalidInput(f"{path} cannot be imported: {what}")
    return told


def _enrolments(known: _Known, file: pq.ParquetFile, tell: Tell) -> Iterator[Enrolment]:
    number = 0
    for batch in file.iter_batches(_ROWS, columns=SCHEMA.names):
        for row in batch.to_pylist():
            number += 1
            known.without_embedding += row["embedding"] is None and row["added"] is not None
            yield known.lacks(_enrolment(row, number))
        tell(number)


def _enrolment(row: Mapping[str, Any], number: int) -> Enrolment:
    """Raises InvalidInput that says which row is wrong."""
    try:
        metadata = json.loads(row["metadata"] or "{}")
        check_metadata(metadata)
        collection, person = checked_name("collection", row["collection"]), checked_name("person", row["person"])
        if row["embedding"] is None:
            return Enrolment(collection, person, metadata, [], row["created"])
        embedding = np.array(row["embedding"], np.float32)
        details = json.loads(row["details"] or "{}")
        check_metadata(details)
        face = NewFace(checked_embedding(embedding), row["crop"], details, row["added"])
    except (ValueError, InvalidInput) as error:
        raise InvalidInput(f"row {number} cannot be imported: {error}") from error
    return Enrolment(collection, person, metadata, [face], row["created"])


class _Known:
    """The faces of people who are enrolled: those of the person that is asked about are read once."""

    def __init__(self, store: Store, weights: str) -> None:
        self._store = store
        self._weights = weights
        self._is_empty = store.counter() == 0
        self._key: tuple[str, str] | None = None
        self._person: Person | None = None
        self._embeddings: set[bytes] = set()
        self._places: set[str] = set()
        self.without_embedding = 0

    def lacks(self, enrolment: Enrolment) -> Enrolment:
        """What of it is new: whoever is there keeps the metadata, and their faces are left out."""
        key = (enrolment.collection, enrolment.name)
        if key != self._key:
            self._key, self._embeddings, self._places = key, set(), set()
            self._person = None if self._is_empty else self._find(*key)
            if self._person is not None:
                for face in self._store.faces(self._weights, self._person.id):
                    self._places.update(_place(face.details))
                    if face.embedding is not None:
                        self._embeddings.add(face.embedding.tobytes())
        new = [face for face in enrolment.faces if not self._has(face)]
        return enrolment._replace(faces=new, metadata=None if self._person else enrolment.metadata)

    def _has(self, face: NewFace) -> bool:
        # The same picture embedded in another batch differs in the last bits.
        place = _place(face.details)
        if place and place <= self._places:
            return True
        data = face.embedding.tobytes()
        is_known = data in self._embeddings
        self._embeddings.add(data)
        return is_known

    def _find(self, collection: str, name: str) -> Person | None:
        try:
            return self._store.person(collection, name)
        except UnknownPerson:
            return None


def _place(details: Mapping[str, Any]) -> set[str]:
    """The picture that a face is from, and its box there; empty where that is not known."""
    image, box = details.get("image"), details.get("box")
    return {json.dumps([image, box])} if image and box else set()
