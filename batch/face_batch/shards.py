"""A shard: from its items to its rows."""

import io
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from face_batch import schema
from face_batch.engines import Engine, Picture
from face_batch.manifest import Run
from face_batch.reading import NotRead, Reader
from face_batch.sources import VIDEO, Item
from face_batch.videos import frames
from face_client.errors import FaceError, InvalidImage, InvalidInput, TooManyPixels, VideoError
from face_client.faces import Faces
from face_client.weights import Weights

_JPEG_QUALITY = 95

# The first that fits.
_STATUS: tuple[tuple[type[FaceError], str], ...] = (
    (TooManyPixels, "too_many_pixels"),
    (InvalidImage, "invalid_image"),
    (InvalidInput, "too_many_candidates"),
    (VideoError, "invalid_video"),
    (FaceError, "failed"),
)


@dataclass
class Counts:
    """items: pictures and videos, whether they could be read or not. failures: rows by their status."""

    items: int = 0
    faces: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        """Adds another's."""
        self.items += other.items
        self.faces += other.faces
        self.failures.update(other.failures)


class Answer(NamedTuple):
    """Of a picture, or of a frame of a video. faces: None where there are none, for the reason in status and error."""

    faces: Faces | None
    status: str = schema.OK
    error: str | None = None
    frame: int | None = None
    time: float | None = None

    @classmethod
    def of(cls, found: Faces | FaceError | NotRead, frame: int | None = None, time: float | None = None) -> "Answer":
        """What an engine found, or why there was nothing to look at."""
        if isinstance(found, Faces):
            return cls(found, frame=frame, time=time)
        if isinstance(found, NotRead):
            return cls(None, found.status, str(found), frame, time)
        status = next(status for kind, status in _STATUS if isinstance(found, kind))
        return cls(None, status, str(found), frame, time)


def look(
    items: Iterable[Item], run: Run, reader: Reader, engine: Engine, tell: Callable[[Counts], None] = lambda _: None
) -> pa.Table:
    """The rows of these items. tell: is shown what they have come to so far, after each of them.

    Raises StoreUnavailable and WorkFailed, which are no fault of an item.
    """
    rows, counts = _Rows(run), Counts()
    for is_video, some in groupby(items, lambda item: item.kind == VIDEO):
        for item, answers in _of_videos(some, run, reader, engine) if is_video else _of_pictures(some, reader, engine):
            counts.items += 1
            for answer in answers:
                rows.add(item, answer)
                counts.faces += len(answer.faces) if answer.faces is not None else 0
                if answer.status != schema.OK:
                    counts.failures[answer.status] += 1
            tell(counts)
    return rows.table()


Answered: TypeAlias = Iterator[tuple[Item, Sequence[Answer]]]


def _of_pictures(items: Iterable[Item], reader: Reader, engine: Engine) -> Answered:
    """What cannot be read takes its place among the answers to what can."""
    waiting: deque[tuple[Item, Answer | None]] = deque()

    def readable() -> Iterator[Picture]:
        for item, data in reader.read_all(items):
            if isinstance(data, NotRead):
                waiting.append((item, Answer.of(data)))
            else:
                waiting.append((item, None))
                yield data

    def unread() -> Answered:
        while waiting and (answer := waiting[0][1]) is not None:
            yield waiting.popleft()[0], [answer]

    for found in engine.answers(readable()):
        yield from unread()
        yield waiting.popleft()[0], [Answer.of(found)]
    yield from unread()


def _of_videos(items: Iterable[Item], run: Run, reader: Reader, engine: Engine) -> Answered:
    for item, data in reader.read_all(items):
        yield item, [Answer.of(data)] if isinstance(data, NotRead) else _of_frames(item, data, run.every, engine)


def _of_frames(item: Item, data: bytes, every: int, engine: Engine) -> list[Answer]:
    """One a frame; before them one without a frame where the video ended in an error."""
    looked: list[tuple[int, float]] = []
    broken: list[Answer] = []

    def pixels() -> Iterator[Picture]:
        try:
            for frame in frames(data, every, item.path):
                looked.append((frame.index, frame.time))
                yield frame.rgb()
        except VideoError as error:
            broken.append(Answer.of(error))

    found = [Answer.of(answer, *looked[number]) for number, answer in enumerate(engine.answers(pixels()))]
    return broken + found


class _Rows:
    """Rows as they come, column by column."""

    def __init__(self, run: Run) -> None:
        self._schema = run.schema
        self._columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}
        self._weights: Weights | None = None

    def add(self, item: Item, answer: Answer) -> None:
        """The row of a picture or a frame, and those of its faces."""
        faces = answer.faces
        if faces is not None and faces.weights is not None:
            self._weights = faces.weights
        of_all = {"path": item.path, "frame": answer.frame, "time_s": answer.time}
        of_picture = (
            {}
            if faces is None
            else {
                "width": faces.width,
                "height": faces.height,
                "faces": len(faces),
                "candidates_dropped": faces.candidates_dropped,
            }
        )
        self._append({**of_all, "status": answer.status, "error": answer.error, **of_picture})
        for number in range(0 if faces is None else len(faces)):
            assert faces is not None
            size = {"width": faces.width, "height": faces.height}
            self._append({**of_all, "face": number, **size, **_of_face(faces, number)})

    def _append(self, row: Mapping[str, Any]) -> None:
        for name, values in self._columns.items():
            values.append(row.get(name))

    def table(self) -> pa.Table:
        """All of them; whose the embeddings are stands in the schema."""
        arrays = [_array(self._columns[field.name], field.type) for field in self._schema]
        told = {} if self._weights is None else {schema.WEIGHTS: json.dumps(self._weights.to_dict(), sort_keys=True)}
        return pa.Table.from_arrays(arrays, schema=self._schema).replace_schema_metadata(told)


def _of_face(faces: Faces, number: int) -> dict[str, Any]:
    left, top, right, bottom = faces.boxes[number]
    row = {
        "probability": faces.probabilities[number],
        "size": min(right - left, bottom - top),
        "box": faces.boxes[number],
        "landmarks": faces.landmarks[number].reshape(-1),
    }
    if faces.angles is not None:
        row["angle"] = faces.angles[number]
    if faces.embeddings is not None:
        row["embedding"] = faces.embeddings[number]
    if faces.crops is not None:
        row["crop"] = _jpeg(faces.crops[number])
    return row


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    nothing = np.full(kind.list_size, np.nan, np.float32)
    rows = [nothing if value is None else value for value in values]
    flat = np.concatenate(rows) if rows else np.empty(0, np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), type=kind)


def _jpeg(crop: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
