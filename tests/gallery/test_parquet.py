"""Out of a gallery into a file and back, whole; files that are none are refused before anything is written."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_client.errors import InvalidInput, UnfitWeights
from face_gallery import parquet
from face_gallery.opening import open_store
from face_gallery.records import NewFace
from face_gallery.store import Enrolment
from tests.gallery.people import OTHERS, TRAINED, enrol, units


def dump(store) -> list:
    """Everything but the numbers of rows."""
    return [
        (
            person.collection,
            person.name,
            person.metadata,
            person.created,
            [(f.added, f.details, f.crop, f.embedding.tobytes()) for f in store.faces(TRAINED.sha256, person.id)],
        )
        for person in store.people()
    ]


@pytest.fixture
def filled(store):
    rows = units(4)
    enrol(store, rows[:2], ["Ada", "李娜"], metadata={"site": "A", "levels": [1, {"x": None}]})
    store.enrol(
        [
            Enrolment("default", "Ada", None, [NewFace(rows[2], b"\x00picture", {"image": "a.jpg"})]),
            Enrolment("guests", "Ada", {}, [NewFace(rows[3])]),
            Enrolment("guests", "Nobody yet", {"n": 1}, []),
        ],
        TRAINED,
    )
    store.calibrate(TRAINED.sha256, {"distance": 0.9})
    return store


def test_there_and_back(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_ROWS", 2)
    told: list[int] = []
    assert parquet.export(filled, tmp_path / "a.parquet", told.append) == 5
    assert told == [2, 4, 5]
    assert [file.name for file in tmp_path.iterdir() if "parquet" in file.name] == ["a.parquet"]
    with open_store(tmp_path / "other.gallery") as other:
        assert parquet.import_(other, tmp_path / "a.parquet") == (4, 0)
        assert dump(other) == dump(filled)
        assert other.indexes() == filled.indexes()
        assert parquet.import_(other, tmp_path / "a.parquet") == (0, 0), "twice is once"
        assert dump(other) == dump(filled)
        other.remove("default", "Ada")
        assert parquet.import_(other, tmp_path / "a.parquet") == (2, 0)
        assert dump(other) == dump(filled)


def test_others_can_read_it(filled, tmp_path):
    parquet.export(filled, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet").to_pandas()
    assert table["person"].tolist() == ["Ada", "Ada", "李娜", "Ada", "Nobody yet"]
    assert np.array_equal(np.stack(table["embedding"][:2]), units(4)[[0, 2]])
    assert json.loads(table["metadata"][0])["site"] == "A"


def test_an_empty_gallery_there_and_back(store, tmp_path):
    assert parquet.export(store, tmp_path / "a.parquet") == 0
    assert parquet.import_(store, tmp_path / "a.parquet") == (0, 0)
    assert list(store.people()) == []


def changed(path, **columns):
    """The file with other columns."""
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, parquet.SCHEMA.field(name), pa.array(values, parquet.SCHEMA.field(name).type))
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"person": ["Ada", None]}, "row 2 cannot be imported: person is None"),
        ({"person": ["Ada", " "]}, "row 2 cannot be imported: person is ' '"),
        ({"metadata": ["{}", "[1]"]}, r"row 2 cannot be imported: metadata is \[1\]"),
        ({"details": ["{", "{}"]}, "row 1 cannot be imported"),
        (
            {"embedding": [[0.0] * 512, [1.0] * 512]},
            "row 1 cannot be imported: embedding must be 512 numbers",
        ),
        ({"embedding": [[1.0] * 512, [float("nan")] * 512]}, "row 2 cannot be imported: embedding must be 512"),
        ({"embedding": [[1.0] * 512, [1.0] * 128]}, "row 2 cannot be imported: embedding must be 512"),
    ],
)
def test_a_row_that_cannot_be_is_named_and_nothing_is_written(store, tmp_path, columns, words):
    with open_store(tmp_path / "source.gallery") as source:
        enrol(source, units(2))
        parquet.export(source, tmp_path / "a.parquet")
    changed(tmp_path / "a.parquet", **columns)
    with pytest.raises(InvalidInput, match=words):
        parquet.import_(store, tmp_path / "a.parquet")
    assert list(store.people()) == []
    assert store.indexes() == []


def test_files_that_are_no_gallery(store, tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no Parquet")
    with pytest.raises(InvalidInput, match="is no Parquet file"):
        parquet.import_(store, path)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(InvalidInput, match="is no gallery: `faces gallery export` writes such files"):
        parquet.import_(store, path)
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata({b"face_gallery": b'{"format": 1}'}), path)
    with pytest.raises(InvalidInput, match="it lacks collection, person"):
        parquet.import_(store, path)
    with pytest.raises(FileNotFoundError):
        parquet.import_(store, tmp_path / "none.parquet")


def test_the_same_face_of_the_same_picture_is_one(store, tmp_path):
    details = {"image": "a.jpg", "box": [1.0, 2.0, 3.0, 4.0]}
    with open_store(tmp_path / "other.gallery") as other:
        other.enrol([Enrolment("default", "Ada", None, [NewFace(units(1)[0], None, details)])], TRAINED)
        parquet.export(other, tmp_path / "a.parquet")
    store.enrol([Enrolment("default", "Ada", None, [NewFace(units(1)[0] + 1e-7, None, details)])], TRAINED)
    assert parquet.import_(store, tmp_path / "a.parquet") == (0, 0)


def test_whoever_is_there_keeps_the_metadata(filled, tmp_path):
    parquet.export(filled, tmp_path / "a.parquet")
    filled.describe("default", "Ada", {"consent": "withdrawn"})
    assert parquet.import_(filled, tmp_path / "a.parquet").faces == 0
    assert filled.person("default", "Ada").metadata == {"consent": "withdrawn"}


def test_faces_without_an_embedding_in_use_are_told_of(filled, tmp_path):
    (face,) = filled.faces(person=filled.person("guests", "Ada").id)
    filled.add_embeddings(OTHERS, {face.id: units(1, 9)[0]})
    filled.activate(OTHERS.sha256)
    parquet.export(filled, tmp_path / "a.parquet")
    with open_store(tmp_path / "other.gallery") as other:
        assert parquet.import_(other, tmp_path / "a.parquet") == (1, 3)
        assert len(list(other.people())) == 4


def test_an_export_is_nobody_elses(filled, tmp_path):
    parquet.export(filled, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_mode & 0o077 == 0


def test_of_another_network(filled, tmp_path):
    with open_store(tmp_path / "other.gallery") as other:
        enrol(other, units(1), ["Bo"], weights=OTHERS)
        parquet.export(other, tmp_path / "a.parquet")
    before = dump(filled)
    with pytest.raises(UnfitWeights, match="reindex"):
        parquet.import_(filled, tmp_path / "a.parquet")
    assert dump(filled) == before


def test_an_export_that_fails_leaves_the_earlier_one(filled, tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"before")
    monkeypatch.setattr(filled, "faces", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        parquet.export(filled, path)
    assert path.read_bytes() == b"before"
    assert not list(tmp_path.glob(".*.part"))
