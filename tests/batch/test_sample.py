"""The sheet shows a fair choice of faces, cut from where they are, and never fails over a picture."""

from collections import Counter

import numpy as np
import pytest

from face_batch import sample
from face_batch.errors import Disagreement, StoreUnavailable
from face_batch.manifest import Run, Target
from face_batch.reading import Reader
from face_batch.sample import choose, draw_sheet
from face_batch.videos import frames
from face_client.errors import VideoError
from face_pictures.decoding import decode_image
from face_tools.drawing import SIDE
from tests import clips
from tests.batch import tables

TILE = np.array(sample._TILE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Not to be changed."""
    return tables.make(tmp_path_factory.mktemp("made"))


class Held:
    """A target that lies in memory: tables by shard, None for one that is not there."""

    def __init__(self, shards):
        self.shards = shards

    def shard(self, number):
        return self if self.shards[number] is not None else Nothing()

    def info(self):
        return "a file"

    def read(self, number, columns):
        return self.shards[number].select(columns)


class Nothing:
    def info(self):
        return None


def held(seed, shards=5):
    """Random rows; probabilities that are often the same."""
    random = np.random.default_rng(seed)
    run = Run("nowhere", 4 * shards, 4)
    made = []
    for number in range(shards):
        rows = []
        for picture in range(4):
            path = f"/{number}/{picture}.jpg"
            if random.random() < 0.3:
                rows.append({"path": path, "status": str(random.choice(["missing", "failed"])), "error": "so it is"})
                continue
            count = int(random.integers(0, 4))
            rows.append({"path": path, "status": "ok", "faces": count})
            for face in range(count):
                probability = random.integers(7, 11) / 10
                rows.append({"path": path, "face": face, "probability": probability, "box": [1, 2, 3, 4]})
        made.append(None if random.random() < 0.2 else tables.table(rows, run))
    return Held(made), run


def places(rows):
    return [(row["path"], row["face"]) for row in rows]


@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize("seed", range(10))
def test_who_is_chosen(seed, count):
    """Against a slow reference: all rows at once."""
    target, run = held(seed)
    everything = [row for table in target.shards if table is not None for row in table.to_pylist()]
    faces = [row for row in everything if row["face"] is not None]
    errors = [row for row in everything if row["face"] is None and row["status"] != "ok"]
    choice = choose(target, run, count, seed=0)
    assert (choice.faces.total, choice.unlikely.total, choice.errors.total) == (len(faces), len(faces), len(errors))
    # Of equal ones the first.
    assert places(choice.unlikely.rows) == places(sorted(faces, key=lambda row: row["probability"])[:count])
    for band, all_of_them in ((choice.faces, faces), (choice.errors, errors)):
        assert len(band.rows) == min(count, len(all_of_them))
        assert len(set(places(band.rows))) == len(band.rows)
        assert set(places(band.rows)) <= set(places(all_of_them))
    for row in (*choice.faces.rows, *choice.errors.rows):
        assert target.shards[row["shard"]].to_pylist()[row["row"]]["path"] == row["path"]


def test_every_face_has_the_same_chance():
    target, run = held(seed=3)
    choices = [choose(target, run, 3, seed) for seed in range(400)]
    total = choices[0].faces.total
    seen = Counter(place for choice in choices for place in places(choice.faces.rows))
    expected = 400 * 3 / total
    assert len(seen) == total
    # Five standard deviations.
    assert all(abs(number - expected) < 5 * expected**0.5 for number in seen.values())


def test_the_seed_decides(made):
    first, again, other = (places(choose(made.target, made.run, 4, seed).faces.rows) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_no_more_than_a_shard_is_held(monkeypatch):
    """And of those before it what may be shown."""
    target, run = held(seed=3, shards=40)
    held_rows = []

    def add(lowest, rows, ranks, add=sample._Lowest.add):
        add(lowest, rows, ranks)
        held_rows.append(len(lowest._rows))

    monkeypatch.setattr(sample._Lowest, "add", add)
    choose(target, run, 3, 0)
    assert max(held_rows) == 3


def cuts(made, count=100):
    """What is cut for each face, by the name of its picture, its frame and its number; None for a tile of words."""
    rows = choose(made.target, made.run, count, 0).unlikely.rows
    found = dict(sample._cuts(made.target, made.run, rows))
    return {
        (path.rpartition("/")[2], frame, face): None if is_text(pixels) else pixels
        for (path, frame, face), pixels in found.items()
    }


def is_text(pixels):
    return pixels.shape == (SIDE, SIDE, 3) and (pixels[-1, -1] == TILE).all()


def boxes(made):
    return {
        (row["path"].rpartition("/")[2], row["frame"], row["face"]): row["box"]
        for number in range(made.run.shards)
        for row in made.rows(number)
        if row["face"] is not None
    }


def test_faces_are_cut_from_where_they_are(made):
    """The pictures' colours tell x, y and the frame."""
    found = cuts(made)
    expected = boxes(made)
    assert found.keys() == expected.keys()
    assert len(found) == 10
    for (name, frame, number), pixels in found.items():
        left, top, right, bottom = expected[name, frame, number]
        side = max(right - left, bottom - top)
        assert pixels.shape[0] == pixels.shape[1] == pytest.approx(1.7 * side, abs=1)
        red, green, blue = (int(value) for value in pixels[pixels.shape[0] // 2, pixels.shape[1] // 2])
        # A video's colours are of a quarter of the pixels, and not quite these.
        near = 1 if frame is None else 14
        assert (red, green) == pytest.approx(((left + right) / 2, (top + bottom) / 2), abs=near)
        assert blue == pytest.approx(40 * (frame or 0), abs=near)


def test_a_picture_is_read_once(made, monkeypatch):
    asked = []

    def read(reader, item, read=Reader.read):
        asked.append(item.path)
        return read(reader, item)

    monkeypatch.setattr(Reader, "read", read)
    draw_sheet(made.target, made.run, 24, 0)
    assert sorted(asked) == [made.path(name) for name in ("a.png", "d.mp4", "e.mp4", "g.png", "h.png")]


@pytest.fixture
def broken(tmp_path):
    """A target whose pictures are no longer what they were."""
    made = tables.make(tmp_path)
    source = tmp_path / "source"
    (source / "a.png").unlink()
    (source / "g.png").write_bytes(b"changed since")
    return made


def test_pictures_that_are_gone_are_words(broken):
    found = cuts(broken)
    assert found.keys() == boxes(broken).keys()
    words = {name for (name, _, _), pixels in found.items() if pixels is None}
    assert words == {"a.png", "g.png"}
    assert draw_sheet(broken.target, broken.run, 24, 0).size[0] > 10 * SIDE


def answering(monkeypatch, name, answer):
    """What the source has is not what the manifest says of it, and nobody noticed: bytes, or an error."""

    def read(reader, item, read=Reader.read):
        if not item.path.endswith(f"/{name}"):
            return read(reader, item)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Reader, "read", read)


@pytest.mark.parametrize("name", ["a.png", "d.mp4"])
def test_what_cannot_be_decoded_is_words(made, monkeypatch, name):
    answering(monkeypatch, name, b"neither a picture nor a video")
    assert {path for (path, _, _), pixels in cuts(made).items() if pixels is None} == {name}


def test_a_video_that_became_shorter(made, monkeypatch, tmp_path):
    short = clips.write(tmp_path / "short.mp4", [tables.pixels(), tables.pixels(1)])
    answering(monkeypatch, "d.mp4", short.read_bytes())
    found = cuts(made)
    assert {key for key, pixels in found.items() if pixels is None} == {("d.mp4", 4, 0), ("d.mp4", 4, 1)}


def test_a_video_that_ends_in_an_error_shows_what_came_before(made, monkeypatch):
    def ending(data, every, path):
        for frame in frames(data, every, path):
            yield frame
            if frame.index == 2:
                raise VideoError(f"{path} cannot be read on")

    monkeypatch.setattr(sample, "frames", ending)
    assert {key for key, pixels in cuts(made).items() if pixels is None} == {("d.mp4", 4, 0), ("d.mp4", 4, 1)}


def test_a_store_that_is_away(made, monkeypatch):
    """Those before it are there."""
    answering(monkeypatch, "e.mp4", StoreUnavailable("s3://bucket: is away"))
    found = cuts(made)
    assert found.keys() == boxes(made).keys()
    assert {path for (path, _, _), pixels in found.items() if pixels is not None} == {"a.png", "d.mp4"}
    assert draw_sheet(made.target, made.run, 24, 0).size[0] > 10 * SIDE


def test_a_face_of_no_item(made, monkeypatch):
    """Which `verify` would tell."""
    monkeypatch.setattr(Target, "items", lambda *_arguments: [])
    assert all(pixels is None for pixels in cuts(made).values())


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ([10, 20, 30, 40], 34),
        ([30, 40, 10, 20], 34),
        ([20, 20, 20, 20], 2),
        # At most as if it were as large as the picture.
        ([-1e9, 0, 1e9, 10], 272),
    ],
)
def test_squares(box, size):
    pixels = sample._square(tables.pixels(), box)
    assert pixels.shape == (size, size, 3)


def test_a_square_shows_black_beside_the_picture():
    pixels = sample._square(np.full((50, 50, 3), 200, np.uint8), [-20, 10, 20, 50])
    assert (pixels[:, 33:].max(), pixels[-1].max()) == (200, 0)
    assert (pixels[:, 0] == 0).all()


def test_a_box_that_is_no_number():
    assert is_text(sample._square(tables.pixels(), [0, 1, np.nan, 3]))


def test_crops_of_the_run_itself_are_taken(tmp_path):
    made = tables.make(tmp_path, {"a.png": 2, "b.png": 1, "c.png": 0, "d.png": 0, "e.png": 3}, crops=True)
    for name in "abcde":
        (tmp_path / "source" / f"{name}.png").unlink()
    rows = made.rows(1)
    rows[-1]["crop"] = b"no JPEG"
    made.write(1, rows)
    choice = choose(made.target, made.run, 10, 0).faces.rows
    found = dict(sample._crops(made.target, choice))
    assert len(found) == 6
    for row in (row for number in (0, 1) for row in made.rows(number) if row["face"] is not None):
        pixels = found[row["path"], None, row["face"]]
        if row["crop"] == b"no JPEG":
            assert is_text(pixels)
        else:
            np.testing.assert_array_equal(pixels, decode_image(row["crop"]))
    assert draw_sheet(made.target, made.run, 10, 0).size[0] > 10 * SIDE


def titles(made, monkeypatch, count=24):
    """Of the bands, and what is below the tiles of each."""
    seen = []
    monkeypatch.setattr(sample, "contact_sheet", lambda sections: seen.extend(sections))
    draw_sheet(made.target, made.run, count, 0)
    return {section.title: [tile.caption for tile in section.tiles] for section in seen}


def test_what_stands_below(made, monkeypatch):
    found = titles(made, monkeypatch, 4)
    assert list(found) == [
        "Faces at random: 4 of 10",
        "The least likely faces: 4 of 10",
        "What could not be read: 3 of 3",
    ]
    faces, unlikely, errors = found.values()
    assert len(faces) == len(unlikely) == 4
    assert sorted(errors) == [made.path(name) for name in ("c.png", "e.mp4", "f.png")]
    # The end is what is seen of it.
    assert unlikely[0] == f"{made.path('d.mp4')} #4 {min(all_probabilities(made)):.3f}"


def all_probabilities(made):
    return [row["probability"] for number in range(3) for row in made.rows(number) if row["face"] is not None]


def test_an_unfinished_target_without_faces(tmp_path, monkeypatch):
    made = tables.make(tmp_path, {"a.png": 0, "b.png": 0, "c.png": "missing", "d.png": 0, "e.png": 1})
    made.target.shard(1).delete()
    assert list(titles(made, monkeypatch)) == [
        "Faces at random: none",
        "The least likely faces: none",
        "What could not be read: 1 of 1",
    ]
    made.target.shard(0).delete()
    assert set(map(len, titles(made, monkeypatch).values())) == {0}


def test_an_empty_target_has_a_sheet(tmp_path):
    made = tables.make(tmp_path, {"a.png": 0})
    made.target.shard(0).delete()
    assert draw_sheet(made.target, made.run, 24, 0).size[0] > 10 * SIDE


def test_a_damaged_shard(tmp_path):
    made = tables.make(tmp_path, {"a.png": 0})
    made.target.shard(0).write(b"nothing of the kind")
    with pytest.raises(Disagreement, match="part-00000"):
        draw_sheet(made.target, made.run, 24, 0)


@pytest.mark.parametrize("words", ["", "a", "word " * 100, "w" * 300, "two\nlines", "not \x07 printable"])
def test_words_stay_in_their_tile(words):
    tile = sample._text(words, "too many candidates")
    assert tile.shape == (SIDE, SIDE, 3)
    edge = np.concatenate([tile[-3:].reshape(-1, 3), tile[:3].reshape(-1, 3)])
    assert (edge == TILE).all()
