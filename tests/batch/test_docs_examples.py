"""What docs/batch.md says of the tables: its columns, and its examples, which are run."""

import re
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from face_batch import schema
from tests.batch import tables

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"
SECTION = PAGE.read_text().partition("\n## Reading the tables\n")[2].partition("\n## ")[0]
TEAM = "/data/photos/team.jpg"


def blocks(heading, language):
    """The code below a heading of the section."""
    text = SECTION.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tables.make(tmp_path_factory.mktemp("made"), embeddings=True)


@pytest.fixture
def rows(made, monkeypatch):
    """All of them; the target is `faces` in the working directory, as the page has it."""
    link = made.folder.parent / "faces"
    if not link.exists():
        link.symlink_to(made.folder)
    monkeypatch.chdir(link.parent)
    return [row for number in range(made.run.shards) for row in made.rows(number)]


def faces_of(rows, probability=0.9, size=40):
    """Path and number of the faces that are so sure and large, in the order of the table."""
    return [
        (row["path"], row["face"])
        for row in rows
        if row["face"] is not None and row["probability"] >= probability and row["size"] >= size
    ]


def errors_of(rows):
    return Counter(row["status"] for row in rows if row["face"] is None and row["status"] != "ok")


def query(made, comment):
    """What DuckDB answers to the query with this first line, as dicts."""
    (code,) = (code for code in blocks("DuckDB", "sql") if code.startswith(f"-- {comment}"))
    answer = duckdb.sql(code.replace(TEAM, made.path("g.png")))
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def described(kind):
    return f"{kind.value_type}[{kind.list_size}]" if pa.types.is_fixed_size_list(kind) else str(kind)


def test_all_columns_are_described():
    table = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", SECTION, re.MULTILINE)
    assert table == [(name, described(kind), text) for name, kind, text in schema.columns(embeddings=True, crops=True)]


def test_duckdb_finds_faces(made, rows):
    answers = query(made, "Faces that are sure")
    assert sorted((row["path"], row["face"]) for row in answers) == faces_of(rows)
    assert 1 < len(answers) < 10
    probabilities = [row["probability"] for row in answers]
    assert probabilities == sorted(probabilities, reverse=True)
    for row in answers:
        assert row["size"] == min(row["x2"] - row["x1"], row["y2"] - row["y1"])


def test_duckdb_finds_pictures_without_faces(made, rows):
    assert [row["path"] for row in query(made, "Pictures that show nobody")] == [
        row["path"] for row in rows if row["faces"] == 0 and row["frame"] is None
    ]
    assert len(query(made, "Pictures that show nobody")) == 3


def test_duckdb_counts_errors(made, rows):
    answers = query(made, "What could not be read")
    assert {row["status"]: row["pictures"] for row in answers} == errors_of(rows)
    assert answers[0]["first"] == made.path("c.png")


def test_duckdb_finds_frames(made, rows):
    expected = [(row["path"], row["time_s"], row["faces"]) for row in rows if row["frame"] is not None and row["faces"]]
    assert [tuple(row.values()) for row in query(made, "When somebody")] == expected
    assert len(expected) == 3


def test_duckdb_compares_faces(made, rows):
    """Against NumPy; the most like is the face itself."""
    answers = query(made, "The ten faces")
    (this,) = (row["embedding"] for row in rows if row["path"] == made.path("g.png") and row["face"] == 0)
    faces = [row for row in rows if row["face"] is not None]
    cosines = np.array([row["embedding"] for row in faces]) @ np.array(this)
    assert len(answers) == min(10, len(faces))
    assert (answers[0]["path"], answers[0]["face"]) == (made.path("g.png"), 0)
    np.testing.assert_allclose([row["cosine"] for row in answers], sorted(cosines, reverse=True)[:10], atol=1e-6)


def run(heading):
    """The names that the Python of a heading leaves."""
    (code,) = blocks(heading, "python")
    names = {}
    exec(compile(code, f"{PAGE.name}, {heading}", "exec"), names)
    return names


def test_pandas(rows):
    names = run("pandas")
    table = names["sure_and_large"]
    assert list(zip(table["path"], table["face"], strict=True)) == faces_of(rows)
    assert list(names["without_faces"]["path"]) == [
        row["path"] for row in rows if row["faces"] == 0 and row["frame"] is None
    ]
    assert names["errors"].to_dict() == errors_of(rows)
    sure = faces_of(rows, size=0)
    assert list(zip(names["people"]["path"], names["people"]["face"], strict=True)) == sure
    check_embeddings(names["embeddings"], rows, sure)
    first, second = names["embeddings"][:2]
    assert names["distance"] == pytest.approx(np.linalg.norm(first - second), abs=1e-5)


def test_pyarrow(rows):
    names = run("pyarrow")
    people = names["people"]
    assert list(zip(people["path"].to_pylist(), people["face"].to_pylist(), strict=True)) == faces_of(rows)
    check_embeddings(names["embeddings"], rows, faces_of(rows))
    assert names["cosine"] == pytest.approx(names["embeddings"][0] @ names["embeddings"][1])
    assert dict(zip(*names["by_reason"].to_pydict().values(), strict=True)) == errors_of(rows)


def check_embeddings(embeddings, rows, faces):
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(faces), 512)
    by_face = {(row["path"], row["face"]): row["embedding"] for row in rows if row["face"] is not None}
    np.testing.assert_array_equal(embeddings, np.array([by_face[face] for face in faces], np.float32).reshape(-1, 512))


def test_spark_is_said_not_to_be_run():
    text = SECTION.partition("\n### Spark\n")[2]
    assert "not run here" in text
    assert blocks("Spark", "python") == []


def test_every_status_is_told():
    text = PAGE.read_text()
    section = text.partition("\n## A picture that cannot be read\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)) == schema.ERRORS
