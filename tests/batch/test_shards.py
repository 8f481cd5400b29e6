"""From items to rows: every item once, in its order, whatever could not be read."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch import schema
from face_batch.manifest import Run
from face_batch.reading import Reader
from face_batch.shards import Counts, look
from face_batch.sources import Item, list_source
from face_batch.videos import frames
from face_client.errors import InvalidImage, InvalidInput, ServerError, TooManyPixels, VideoError
from face_client.faces import Faces
from face_client.weights import Weights
from tests import clips


def faces(count, width=100, height=80, **more):
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4) + np.array([0, 0, 10, 20], np.float32)
    return Faces(
        boxes=boxes,
        probabilities=np.linspace(0.7, 0.9, count, dtype=np.float32),
        landmarks=np.arange(10 * count, dtype=np.float32).reshape(count, 5, 2),
        width=width,
        height=height,
        **more,
    )


ERRORS = {
    "image": InvalidImage("encoded_image is not a picture"),
    "large": TooManyPixels("encoded_image has too many pixels"),
    "crowd": InvalidInput("too many"),
    "broken": ServerError("broken"),
}


class Scripted:
    """Answers by what a file says: a number of faces, or the name of an error. Groups of three, as engines do."""

    def answers(self, pictures):
        group = []
        for picture in pictures:
            group.append(picture)
            if len(group) == 3:
                yield from map(self.answer, group)
                group = []
        yield from map(self.answer, group)

    def answer(self, picture):
        if isinstance(picture, np.ndarray):
            return faces(1, picture.shape[1], picture.shape[0])
        word = picture.decode()
        return ERRORS[word] if word in ERRORS else faces(int(word))


def items_of(folder):
    return [Item(**row) for row in list_source(str(folder)).items.to_pylist()]


def run_of(items, **more):
    return Run("somewhere", len(items), 100, **more)


def told(table):
    """Path, status and number of faces of each picture; the rows of faces in between are checked."""
    found, left = [], 0
    for row in table.to_pylist():
        if row["face"] is None:
            assert left == 0
            found.append((row["path"].rpartition("/")[2], row["status"], row["faces"]))
            left, number = row["faces"] or 0, 0
        else:
            assert (row["face"], row["status"], row["faces"]) == (number, None, None)
            left, number = left - 1, number + 1
    assert left == 0
    return found


@pytest.mark.parametrize("seed", range(20))
def test_every_item_has_its_answer_in_its_order(tmp_path, seed):
    """Against a slow reference: one after the other."""
    choice = random.Random(seed)
    expected = []
    items = []
    for number in range(choice.randrange(40)):
        kind = choice.choice(["0", "1", "3", *ERRORS, "gone", "changed"])
        file = tmp_path / f"{number:03d}.jpg"
        file.write_text(kind)
        items += [item for item in items_of(tmp_path) if item.path == str(file)]
        status = {"image": "invalid_image", "large": "too_many_pixels", "crowd": "too_many_candidates"}
        status |= {"broken": "failed", "gone": "missing", "changed": "changed"}
        if kind == "gone":
            file.unlink()
        if kind == "changed":
            file.write_text("changed, and longer")
        expected.append((file.name, status.get(kind, "ok"), int(kind) if kind.isdigit() else None))
    counts = []
    table = look(items, run_of(items), Reader(), Scripted(), lambda now: counts.append(now.items))
    assert told(table) == expected
    assert counts == list(range(1, len(items) + 1))


def test_a_row_of_a_face(tmp_path):
    (tmp_path / "a.jpg").write_text("2")
    items = items_of(tmp_path)
    last = []
    picture, first, second = look(items, run_of(items), Reader(), Scripted(), last.append).to_pylist()
    assert picture == {
        **dict.fromkeys(schema.schema(embeddings=False, crops=False).names),
        **{"path": str(tmp_path / "a.jpg"), "status": "ok", "width": 100, "height": 80, "faces": 2},
        **{"candidates_dropped": 0, "box": picture["box"], "landmarks": picture["landmarks"]},
    }
    assert np.isnan(picture["box"]).all()
    assert np.isnan(picture["landmarks"]).all()
    assert (first["box"], first["size"]) == ([0, 1, 12, 23], 12)
    assert second["landmarks"] == list(range(10, 20))
    assert second["probability"] == pytest.approx(0.9)
    assert (last[-1].items, last[-1].faces) == (1, 2)


def test_embeddings_crops_and_angles(tmp_path):
    (tmp_path / "a.jpg").write_text("x")
    items = items_of(tmp_path)
    found = faces(
        2,
        embeddings=np.eye(2, 512, dtype=np.float32),
        crops=np.full((2, 160, 160, 3), 90, np.uint8),
        angles=np.array([0, 90], np.int32),
        weights=Weights("trained.pt", "0f" * 32, random=False),
    )

    class Known(Scripted):
        def answer(self, _picture):
            return found

    table = look(items, run_of(items, embeddings=True, crops=True), Reader(), Known())
    assert table.schema.equals(schema.schema(embeddings=True, crops=True))
    file = pq.ParquetFile(pa.BufferReader(schema.to_bytes(table, {"shard": 0})))
    assert Weights.parse(file.schema_arrow.metadata[schema.WEIGHTS.encode()]) == found.weights
    assert schema.facts_of(file) == {"shard": 0}
    _, first, second = table.to_pylist()
    assert second["embedding"] == found.embeddings[1].tolist()
    assert first["crop"].startswith(b"\xff\xd8")
    assert (first["angle"], second["angle"]) == (0, 90)


def test_no_items():
    table = look([], run_of([]), Reader(), Scripted())
    assert (table.num_rows, table.schema) == (0, schema.schema(embeddings=False, crops=False))


def test_every_nth_frame_of_a_video(tmp_path):
    clips.write(tmp_path / "b.mp4", [np.full((80, 100, 3), 10 * n, np.uint8) for n in range(10)])
    (tmp_path / "a.jpg").write_text("0")
    (tmp_path / "c.jpg").write_text("1")
    (tmp_path / "d.mp4").write_bytes(b"no video")
    items = items_of(tmp_path)
    counts = Counts()

    def keep(now):
        nonlocal counts
        counts = now

    table = look(items, run_of(items, every=4), Reader(), Scripted(), keep)
    rows = [row for row in table.to_pylist() if row["face"] is None]
    assert [row["path"].rpartition("/")[2] for row in rows] == ["a.jpg", *["b.mp4"] * 3, "c.jpg", "d.mp4"]
    assert [row["frame"] for row in rows] == [None, 0, 4, 8, None, None]
    assert [row["time_s"] for row in rows[1:4]] == pytest.approx([0, 4 / clips.RATE, 8 / clips.RATE])
    assert rows[-1]["status"] == "invalid_video"
    assert (counts.items, counts.faces, counts.failures) == (4, 4, {"invalid_video": 1})


def test_the_same_rows_are_the_same_bytes(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_text(str(number))
    items = items_of(tmp_path)
    run = run_of(items)
    files = {schema.to_bytes(look(items, run, Reader(), Scripted()), run.facts(0)).to_pybytes() for _ in range(3)}
    assert len(files) == 1


def test_statistics_let_readers_pass_over_rows(tmp_path):
    (tmp_path / "a.jpg").write_text("3")
    items = items_of(tmp_path)
    run = run_of(items)
    (tmp_path / "x.parquet").write_bytes(schema.to_bytes(look(items, run, Reader(), Scripted()), run.facts(0)))
    group = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert columns["probability"].statistics.min == pytest.approx(0.7)
    assert columns["size"].statistics.max == 12
    assert columns["probability"].has_column_index


def test_a_broken_video_is_called_by_its_name_each_time():
    told = []
    for _ in range(2):
        with pytest.raises(VideoError) as error:
            list(frames(b"no video", 1, "x.mp4"))
        told.append(str(error.value))
    assert told[0] == told[1]
    assert told[0].startswith("x.mp4 cannot be read")
