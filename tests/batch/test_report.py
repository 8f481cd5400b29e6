"""The report counts what is in the shards, and its page shows that and no more."""

import json
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
from pyarrow import fs

from face_batch.errors import Disagreement
from face_batch.manifest import Run, Target
from face_batch.page import page
from face_batch.places import Place
from face_batch.report import FACES_EDGES, PROBABILITY_EDGES, SIZE_EDGES, Histogram, Report, summarize, write
from face_batch.schema import ERRORS
from tests.batch import tables

FACTS = {"begun": "2026-01-02T03:04:05+00:00", "seconds": 12.5, "pictures a second": 0.8, "workers": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tables.make(tmp_path_factory.mktemp("made"), embeddings=True, crops=True)


def counted(values, edges):
    """The slow reference: one value after the other."""
    counts = [0] * len(edges)
    for value in values:
        counts[max([0, *(number for number, edge in enumerate(edges) if value >= np.float32(edge))])] += 1
    return counts


def reference(rows):
    """What `Report.to_dict` says of rows, the size of files apart."""
    pictures = [row for row in rows if row["face"] is None]
    faces = [row for row in rows if row["face"] is not None]
    looked = [row["faces"] for row in pictures if row["faces"] is not None]
    errors = [row for row in pictures if row["status"] != "ok"]
    statuses = Counter(row["status"] for row in pictures)
    examples = {
        status: [{"path": row["path"], "error": row["error"]} for row in errors if row["status"] == status][:3]
        for status in {row["status"] for row in errors}
    }
    histograms = {
        "faces_a_picture": (looked, FACES_EDGES),
        "sizes": ([row["size"] for row in faces], SIZE_EDGES),
        "probabilities": ([row["probability"] for row in faces], PROBABILITY_EDGES),
    }
    return {
        "pictures": len(pictures),
        "frames": len([row for row in pictures if row["frame"] is not None]),
        "with_faces": len([number for number in looked if number]),
        "faces": len(faces),
        "statuses": dict(statuses),
        "errors": {status: number for status, number in statuses.items() if status != "ok"},
        "examples": examples,
        **{name: {"edges": edges, "counts": counted(values, edges)} for name, (values, edges) in histograms.items()},
    }


def all_rows(made, shards):
    return [row for number in shards for row in made.rows(number)]


def test_all_of_a_target_is_counted(made):
    told = summarize(made.target, made.run).to_dict()
    assert told.pop("file_bytes") == sum(file.stat().st_size for file in made.folder.glob("*.parquet"))
    assert told == reference(all_rows(made, range(3)))
    assert (told["pictures"], told["frames"], told["faces"], told["with_faces"]) == (13, 4, 10, 6)
    assert told["errors"] == {"invalid_image": 1, "invalid_video": 1, "missing": 1}


def test_of_an_unfinished_target_what_is_there(tmp_path):
    answers = {"a.png": 1, "b.png": 0, "c.png": 2, "d.png": "failed", "e.png": 1}
    made = tables.make(tmp_path, answers)
    made.target.shard(0).delete()
    told = summarize(made.target, made.run).to_dict()
    del told["file_bytes"]
    assert told == reference(made.rows(1))
    made.target.shard(1).delete()
    assert summarize(made.target, made.run).to_dict() == {**Report().to_dict()}


def test_the_most_frequent_errors_come_first_with_few_examples(tmp_path):
    answers = {f"{number:02d}.png": "changed" if number % 5 else "missing" for number in range(20)}
    report = summarize(*_of(tables.make(tmp_path, answers)))
    assert list(report.errors.items()) == [("changed", 16), ("missing", 4)]
    assert [each["path"][-6:] for each in report.examples["missing"]] == ["00.png", "05.png", "10.png"]
    assert [each["path"][-6:] for each in report.examples["changed"]] == ["01.png", "02.png", "03.png"]


def test_heavy_columns_are_not_read(made, monkeypatch):
    columns = set()

    def read(target, number, names, read=Target.read):
        columns.update(names)
        return read(target, number, names)

    monkeypatch.setattr(Target, "read", read)
    summarize(made.target, made.run)
    assert columns.isdisjoint({"embedding", "crop", "landmarks", "box"})
    assert len(columns) == 8


def test_a_damaged_shard(tmp_path):
    made = tables.make(tmp_path, {"a.png": 0})
    made.target.shard(0).write(b"nothing of the kind")
    with pytest.raises(Disagreement, match="part-00000"):
        summarize(made.target, made.run)


@pytest.mark.parametrize("edges", [FACES_EDGES, SIZE_EDGES, PROBABILITY_EDGES])
@pytest.mark.parametrize("seed", range(5))
def test_bins(edges, seed):
    """In pieces as at once, and on the edges themselves."""
    random = np.random.default_rng(seed)
    values = np.concatenate([random.uniform(-1, edges[-1] * 1.1, 200), edges]).astype(np.float32)
    histogram = Histogram(edges)
    for piece in np.array_split(values, 7):
        histogram.add(piece)
    assert histogram.counts == counted(values, edges)
    assert sum(histogram.counts) == len(values)


def _of(made):
    return made.target, made.run


class Reading(HTMLParser):
    """What a page has, as a browser would see it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.addresses, self.text = Counter(), [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href"):
                self.addresses.append(value)
            assert not name.startswith("on")

    def handle_data(self, data):
        self.text += data


def test_what_is_written(made):
    report = summarize(made.target, made.run)
    write(made.target, made.run, report, FACTS)
    state = made.folder / "_faces"
    told = json.loads((state / "report.json").read_text())
    assert told["facts"] == FACTS
    assert told["run"]["options"] == {"min_face_size": 20}
    assert told["sizes"] == {"edges": list(SIZE_EDGES), "counts": report.sizes.counts}
    # The page is made of it alone.
    html = (state / "report.html").read_text()
    assert html == page(str(made.folder), told)
    seen = Reading(html)
    assert seen.tags["svg"] == 4
    assert seen.tags["script"] == 0
    # Plots use their own shapes.
    assert all(address.startswith("#") for address in seen.addresses)
    for expected in (
        "13",
        "4 of them frames",
        "60%",
        "min_face_size",
        "1.2.3",
        "12.5",
        str(made.folder),
        "invalid_video",
    ):
        assert expected in seen.text
    assert made.path("c.png") in seen.text
    assert tables.ERROR in seen.text
    assert "url(" not in html.replace("url(#", "")


def test_the_same_page_for_the_same_numbers(made):
    told = {"run": vars(made.run), "facts": FACTS, **summarize(made.target, made.run).to_dict()}
    assert page("faces", told) == page("faces", told)


def test_names_cannot_break_the_page(made):
    evil = "<script>alert(1)</script>&\"'$x^2$"
    report = Report(pictures=1, statuses=Counter({evil: 1}), examples={evil: [{"path": evil, "error": evil}]})
    run = {**vars(made.run), "source": evil, "options": {evil: evil}}
    seen = Reading(page(evil, {"run": run, "facts": {evil: evil}, **report.to_dict()}))
    assert seen.tags["script"] == 0
    assert seen.text.count(evil) >= 9


def test_a_page_of_nothing(tmp_path):
    target, run = Target.at(str(tmp_path)), Run("nowhere", 0, 4)
    write(target, run, summarize(target, run), {})
    seen = Reading((tmp_path / "_faces" / "report.html").read_text())
    assert seen.tags["svg"] == 3
    assert "all of it was looked at" in seen.text


def test_a_page_of_much(made):
    """Every status, and numbers that are too long for a bar."""
    report = Report(
        pictures=3_000_000, faces=2_000_000, statuses=Counter({"ok": 2_900_000, **dict.fromkeys(ERRORS, 9)})
    )
    report.sizes.counts = [1_234_567, 123_456, 12_345, 1_234, 1, *[0] * 7]
    told = {"run": vars(made.run), "facts": FACTS, **report.to_dict(), "file_bytes": 5_400_000_000}
    seen = Reading(page("faces", told))
    for expected in ("3,000,000", "5.4 GB", "2,700 bytes a face", "1.23M", "123k", "12.3k", "1,234", *ERRORS):
        assert expected in seen.text
    for meaning in ERRORS.values():
        assert meaning in seen.text


def test_a_bucket_gets_it_too(made):
    """A store that is no disk."""
    store = fs._MockFileSystem()
    store.create_dir("bucket/faces/_faces")
    target = Target(Place(store, "bucket/faces", "mock://"))
    write(target, made.run, Report(), FACTS)
    assert json.loads((target.place / "_faces/report.json").read())["facts"] == FACTS
    assert b"mock://bucket/faces" in (target.place / "_faces/report.html").read()
