"""The columns of a shard: one row for each picture or frame, and one for each face in it.

Rows are sorted by path, frame and face; the row of the picture, whose `face` is null, comes before those of its faces.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from face_cascade.networks import EMBEDDING_SIZE

BOX, LANDMARKS = 4, 10

OK = "ok"
"""The status of a picture that was looked at, faces or not."""

ERRORS = {
    "invalid_image": "no picture, of a format that is not read, damaged or truncated",
    "too_many_pixels": "more pixels than are decoded",
    "too_many_candidates": "more likely places for a face than are looked at",
    "invalid_video": "no video, or one that cannot be read on",
    "missing": "was not there, or was gone since the manifest was made",
    "changed": "was written again since the manifest was made",
    "unreadable": "the system or the store refused to give it",
    "failed": "the server failed on it",
}
"""The other statuses, by what they mean."""

COMPRESSION = "zstd"
_ROW_GROUP = 65_536
_METADATA = b"faces"

WEIGHTS = "weights"
"""In a shard's metadata beside it: the FaceNet of its embeddings, JSON with name, sha256 and random."""


def _vector(size: int) -> pa.DataType:
    return pa.list_(pa.float32(), size)


_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    (
        "path",
        pa.string(),
        "of the picture: absolute, or its address; of a member of a tar file, that file and its name",
    ),
    ("frame", pa.int64(), "of a video, from 0; null for pictures"),
    ("time_s", pa.float64(), "seconds since the video's first frame; null for pictures"),
    ("face", pa.int32(), "from 0, in the order of the answer; null in the row of the picture itself"),
    ("status", pa.string(), "in the row of the picture: ok, or what kept it from being looked at; null for faces"),
    ("error", pa.string(), "that reason in words"),
    ("width", pa.int32(), "of the upright picture, in pixels"),
    ("height", pa.int32(), "likewise"),
    ("faces", pa.int32(), "how many were found, in the row of the picture; null for faces"),
    ("candidates_dropped", pa.int64(), "how many fell to max_candidates, in the row of the picture"),
    ("probability", pa.float32(), "of the face"),
    ("size", pa.float32(), "the shorter side of its box, in pixels"),
    ("box", _vector(BOX), "x1, y1, x2, y2 in pixels of the upright picture; it may pass the border"),
    ("landmarks", _vector(LANDMARKS), "x, y of left eye, right eye, nose, left and right corner of the mouth"),
    ("angle", pa.int32(), "degrees by which the face lies turned clockwise, with --rotations; else null"),
)

_EMBEDDING = ("embedding", _vector(EMBEDDING_SIZE), "of length 1, with --embeddings")
_CROP = ("crop", pa.binary(), "JPEG of image_size pixels a side, with --crops")


def columns(embeddings: bool, crops: bool) -> tuple[tuple[str, pa.DataType, str], ...]:
    """Name, type and meaning of each column, in order. Vectors of rows that are no face hold NaN: they cannot be null,
    for Arrow reads no null vectors of a fixed size from Parquet."""
    return (*_COLUMNS, *((_EMBEDDING,) if embeddings else ()), *((_CROP,) if crops else ()))


def schema(embeddings: bool, crops: bool) -> pa.Schema:
    """The same for Arrow; the meanings are the columns' metadata."""
    return pa.schema(
        [pa.field(name, kind, metadata={"description": text}) for name, kind, text in columns(embeddings, crops)]
    )


def to_bytes(table: pa.Table, facts: Mapping[str, Any]) -> pa.Buffer:
    """A shard's file, the same bytes for the same rows; facts: JSON in its metadata, which `facts_of` reads.

    With statistics of each group of rows and page, by which readers pass over what a filter leaves out.
    """
    metadata = {**(table.schema.metadata or {}), _METADATA: json.dumps(facts, sort_keys=True).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(metadata),
        sink,
        compression=COMPRESSION,
        row_group_size=_ROW_GROUP,
        write_statistics=True,
        write_page_index=True,
        # A bit that a disk turned over is no other number, but damage.
        write_page_checksum=True,
        use_dictionary=["path", "status", "error"],
        sorting_columns=pq.SortingColumn.from_ordering(
            table.schema,
            [("path", "ascending"), ("frame", "ascending"), ("face", "ascending")],
            null_placement="at_start",
        ),
    )
    return sink.getvalue()


def facts_of(file: pq.ParquetFile) -> dict[str, Any]:
    """What `to_bytes` was given; nothing of a file that it did not write."""
    metadata = file.schema_arrow.metadata or {}
    try:
        facts = json.loads(metadata.get(_METADATA, b"{}"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
