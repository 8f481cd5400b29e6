"""A run of `faces batch` as a source of people: its faces with embeddings, and whose pictures they are.

Its tables are described in docs/batch.md. Needs pyarrow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from face_client.errors import FaceError, InvalidInput, ServerError
from face_client.extras import how_to_install
from face_client.faces import BatchAnswer, Faces
from face_client.messages import CROP_SIZE, EMBEDDING_SIZE
from face_client.weights import Weights
from face_command import console
from face_gallery.records import checked_name
from face_tools.gallery.options import some_of

FOLDER = "folder"

_COLUMNS = (
    *("path", "frame", "face", "status", "error", "width", "height"),
    *("probability", "box", "landmarks", "angle", "embedding"),
)
_LOOKED_AT = "ok"
"""The status of a picture, faces or not."""

_HEADERS = frozenset(("path", "picture", "image", "file"))
_ROWS = 1000


class BatchRun:
    """The pictures of a run. Raises InvalidInput where it is none, or has no embeddings; ImportError."""

    def __init__(self, folder: Path) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError as error:
            hint = how_to_install("triton-faces-gallery", "parquet")
            raise ImportError(f"pyarrow is needed for runs of `faces batch`: {hint}", name=error.name) from error
        parts = sorted(folder.glob("part-*.parquet"))
        if not parts:
            raise InvalidInput(f"--batch is {folder}, in which there is no part-00000.parquet of `faces batch`")
        if not (folder / "_SUCCESS").exists():
            console.message(f"{folder} is not whole: `faces batch --resume` makes the parts that are missing")
        try:
            self._files = [pq.ParquetFile(part) for part in parts]
        except (pa.ArrowInvalid, OSError) as error:
            raise InvalidInput(f"--batch {folder} cannot be read: {error}") from error
        for part, file in zip(parts, self._files):
            lacking = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if lacking:
                raise InvalidInput(f"{part} has no {', '.join(lacking)}; run `faces batch --embeddings`")
        self._folder = folder

    def paths(self) -> list[str]:
        """All pictures, without the frames of videos, of which it is said how many there are."""
        found: dict[str, None] = {}
        frames = 0
        for file in self._files:
            for batch in file.iter_batches(columns=["path", "frame", "face"]):
                for row in batch.to_pylist():
                    if row["face"] is None and row["frame"] is None:
                        found[row["path"]] = None
                    elif row["face"] is None:
                        frames += 1
        if frames:
            console.message(f"{frames} frames of videos are left out")
        return list(found)

    def faces(self, wanted: Collection[str]) -> Iterator[tuple[str, BatchAnswer]]:
        """Of the pictures that are wanted: all their faces, recognised, or why nobody knows them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        of_wanted = pa.array(sorted(wanted), pa.string())
        for file in self._files:
            weights = _weights(file)
            columns = [*_COLUMNS, *(["crop"] if "crop" in file.schema_arrow.names else [])]
            rows = (
                row
                for batch in file.iter_batches(_ROWS, columns=columns)
                for row in batch.filter(pc.is_in(batch["path"], of_wanted)).to_pylist()
                if row["frame"] is None
            )
            for path, of_picture in groupby(rows, lambda row: row["path"]):
                yield path, self._of_picture(list(of_picture), weights)

    def _of_picture(self, all_rows: Sequence[dict[str, Any]], weights: Weights | None) -> BatchAnswer:
        """Raises InvalidInput where nobody knows whose the embeddings are."""
        for row in all_rows:
            if row["face"] is None and row["status"] != _LOOKED_AT:
                return FaceError(f"faces batch had no answer ({row['status']}): {row['error']}")
        rows = [row for row in all_rows if row["face"] is not None]
        if rows and weights is None:
            raise InvalidInput(
                f"{self._folder} does not say which FaceNet its embeddings are of, as runs of earlier releases do not: "
                "run `faces batch` again"
            )
        count = len(rows)
        return Faces(
            boxes=np.array([row["box"] for row in rows], np.float32).reshape(count, 4),
            probabilities=np.array([row["probability"] for row in rows], np.float32),
            landmarks=np.array([row["landmarks"] for row in rows], np.float32).reshape(count, 5, 2),
            width=rows[0]["width"] if rows else 0,
            height=rows[0]["height"] if rows else 0,
            crops=_stacked([_crop(row.get("crop")) for row in rows]),
            embeddings=np.array([row["embedding"] for row in rows], np.float32).reshape(count, EMBEDDING_SIZE),
            angles=np.array([row["angle"] or 0 for row in rows], np.int32),
            weights=weights,
        )


def _stacked(crops: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """[N, 160, 160, 3]; None where one is missing."""
    there = [crop for crop in crops if crop is not None]
    return np.stack(there) if there and len(there) == len(crops) else None


def _crop(file: bytes | None) -> np.ndarray | None:
    """uint8 [160, 160, 3]; None where there is none, or it is not as FaceNet sees faces."""
    if file is None:
        return None
    pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    return pixels if pixels.shape == (CROP_SIZE, CROP_SIZE, 3) else None


def _weights(file: Any) -> Weights | None:
    told = (file.schema_arrow.metadata or {}).get(b"weights")
    try:
        return None if told is None else Weights.parse(told)
    except ServerError:
        return None


class Persons:
    """Whose pictures they are.

    which: a CSV file of path,person, with paths as from its folder; or "folder": the name of a picture's folder.
    Raises InvalidInput.
    """

    def __init__(self, which: str) -> None:
        self._which = which
        self._by_path = None if which == FOLDER else _read(Path(which))

    def of(self, path: str) -> str | None:
        """The person of a picture; None: nobody is named."""
        if self._by_path is not None:
            return self._by_path.get(path)
        return checked_name("person", path.rstrip("/").rsplit("/", 2)[-2]) if path.count("/") > 1 else None

    def tell_unused(self, named: Sequence[tuple[str | None, str]]) -> bool:
        """Says which lines are of no picture of the run, and how many pictures have no name; whether there are such
        lines."""
        nameless = sum(person is None for person, _ in named)
        if nameless:
            console.message(f"{nameless} of {len(named)} pictures have no name, and are left out")
        there = {path for _, path in named}
        unused = [path for path in self._by_path or () if path not in there]
        if unused:
            console.message(f"{self._which}: not in the run: {some_of(unused, '')}")
        return bool(unused)


def _read(file: Path) -> dict[str, str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except OSError as error:
        raise InvalidInput(f"--persons {file} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"--persons is {file}, which is no CSV file of UTF-8: {error}") from error
    if rows and rows[0][0].strip().lower() in _HEADERS:
        del rows[0]
    found: dict[str, str] = {}
    for row in rows:
        if len(row) != 2:
            raise InvalidInput(f"--persons {file}: a line must be path,person, and one is {','.join(row)[:80]!r}")
        path = row[0] if "://" in row[0] else str((file.parent / row[0]).resolve())
        person = checked_name("person", row[1].strip())
        if found.setdefault(path, person) != person:
            raise InvalidInput(f"--persons {file}: {row[0]} is of two persons, {found[path]!r} and {person!r}")
    return found
