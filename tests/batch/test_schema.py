"""A shard's file, as others read it."""

import io
import random

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from face_batch import schema

FACTS = {"shard": 3, "run": "abc"}


def table(seed, pictures, embeddings=False, crops=False):
    """Rows as a shard has them: some pictures, each with none to three faces."""
    choice = random.Random(seed)
    columns = schema.schema(embeddings, crops)
    rows = []
    for number in range(pictures):
        faces = choice.randrange(4)
        rows.append({"path": f"/p/{number:05d}.jpg", "status": "ok", "width": 640, "height": 480, "faces": faces})
        for face in range(faces):
            rows.append({"path": rows[-1]["path"], "face": face, "width": 640, "height": 480})
            rows[-1] |= {"probability": choice.random(), "size": choice.uniform(20, 200), "angle": 0}
            rows[-1]["crop"] = choice.randbytes(10)
    for row in rows:
        for field in columns:
            if pa.types.is_fixed_size_list(field.type):
                size = field.type.list_size
                is_face = row.get("face") is not None
                row[field.name] = [choice.random() for _ in range(size)] if is_face else [np.nan] * size
    return pa.Table.from_pylist([{name: row.get(name) for name in columns.names} for row in rows], columns)


def written(rows, folder):
    file = folder / "part-00000.parquet"
    file.write_bytes(schema.to_bytes(rows, FACTS))
    return file


EXTRAS = [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(("embeddings", "crops"), EXTRAS)
@pytest.mark.parametrize("pictures", [0, 1, 40])
def test_what_is_read_is_what_was_written(tmp_path, pictures, embeddings, crops):
    rows = table(0, pictures, embeddings, crops)
    file = pq.ParquetFile(written(rows, tmp_path))
    there = file.read()
    assert schema.facts_of(file) == FACTS
    assert there.schema.equals(schema.schema(embeddings, crops))
    for name in rows.column_names:
        one, other = rows[name].combine_chunks(), there[name].combine_chunks()
        if pa.types.is_fixed_size_list(one.type):
            # NaN is not equal to itself.
            np.testing.assert_array_equal(other.flatten().to_numpy(), one.flatten().to_numpy())
        else:
            assert one.equals(other), name


@pytest.mark.parametrize(("embeddings", "crops"), EXTRAS)
def test_the_same_rows_are_the_same_bytes(embeddings, crops):
    """However they lie in memory."""
    rows = table(1, 50, embeddings, crops)
    chunked = pa.concat_tables([rows.slice(0, 7), rows.slice(7, 0), rows.slice(7)])
    assert len({schema.to_bytes(each, FACTS).to_pybytes() for each in (rows, rows, chunked)}) == 1
    assert schema.to_bytes(rows, {"run": "abc", "shard": 3}) == schema.to_bytes(rows, FACTS)
    assert schema.to_bytes(rows, {**FACTS, "shard": 4}) != schema.to_bytes(rows, FACTS)


def test_what_is_written_does_not_hang_on_the_rows_own_metadata():
    rows = table(2, 5)
    assert schema.to_bytes(rows.replace_schema_metadata({}), FACTS) == schema.to_bytes(rows, FACTS)


@pytest.mark.parametrize("metadata", [{}, {"faces": "no json"}, {"faces": "[1]"}, {"pandas": "{}"}])
def test_files_of_others_say_nothing(metadata):
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata(metadata), sink)
    assert schema.facts_of(pq.ParquetFile(sink)) == {}


def test_pandas(tmp_path):
    rows = table(3, 40, embeddings=True, crops=True)
    frame = pd.read_parquet(written(rows, tmp_path))
    pictures, faces = frame[frame.face.isna()], frame[frame.face.notna()]
    assert len(frame) == len(rows)
    assert pictures.faces.sum() == len(faces)
    assert np.stack(faces.embedding.to_list()).shape == (len(faces), 512)
    assert np.isfinite(np.stack(faces.box.to_list())).all()
    assert np.isnan(np.stack(pictures.box.to_list())).all()
    assert np.isnan(np.stack(pictures.embedding.to_list())).all()
    assert faces.crop.map(len).eq(10).all()
    assert pictures.crop.isna().all()
    assert frame.box.iloc[0].dtype == np.float32


def test_duckdb(tmp_path):
    rows = table(4, 40, embeddings=True)
    file = written(rows, tmp_path)

    def ask(what):
        return duckdb.sql(f"SELECT {what} FROM '{file}'").fetchall()[0][0]

    faces = [row for row in rows.to_pylist() if row["face"] is not None]
    assert ask("count(face)") == len(faces)
    assert ask("sum(box[3] - box[1]) FILTER (face IS NOT NULL)") == pytest.approx(
        sum(row["box"][2] - row["box"][0] for row in faces), abs=1e-3
    )
    assert ask("count(*) FILTER (isnan(box[1]))") == len(rows) - len(faces)
    assert ask("count(*) FILTER (isnan(embedding[512]) AND face IS NOT NULL)") == 0
    # A list of a fixed size is one of any size there; as an array it has its functions.
    assert ask("max(array_length(embedding::FLOAT[512])) FILTER (face IS NOT NULL)") == 512
    assert ask("typeof(any_value(probability))") == "FLOAT"


def test_columns_have_the_types_that_are_told_of(tmp_path):
    file = pq.ParquetFile(written(table(5, 3, embeddings=True, crops=True), tmp_path))
    told = schema.columns(embeddings=True, crops=True)
    assert [(field.name, field.type, field.metadata[b"description"].decode()) for field in file.schema_arrow] == list(
        told
    )
    assert all(text for _, _, text in told)


def test_several_shards_are_one_table(tmp_path):
    """Empty ones, too."""
    tables = [table(seed, pictures) for seed, pictures in enumerate((5, 0, 7))]
    for number, rows in enumerate(tables):
        (tmp_path / f"part-{number:05d}.parquet").write_bytes(schema.to_bytes(rows, {"shard": number}))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "_faces").mkdir()
    pq.write_table(pa.table({"other": [1]}), tmp_path / "_faces" / "manifest.parquet")
    count = sum(len(rows) for rows in tables)
    assert ds.dataset(tmp_path).to_table().num_rows == count
    assert len(pd.read_parquet(tmp_path)) == count
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/*.parquet'").fetchall()[0][0] == count


def test_filters_pass_over_what_cannot_match(tmp_path, monkeypatch):
    """Statistics of groups and of pages; and the order is said."""
    monkeypatch.setattr(schema, "_ROW_GROUP", 20)
    file = pq.ParquetFile(written(table(6, 60), tmp_path))
    metadata = file.metadata
    names = [metadata.row_group(0).column(n).path_in_schema for n in range(metadata.num_columns)]
    sorting = metadata.row_group(0).sorting_columns
    order = [(names[column.column_index], column.descending, column.nulls_first) for column in sorting]
    assert order == [("path", False, True), ("frame", False, True), ("face", False, True)]
    whole = file.read()
    for number in range(metadata.num_row_groups):
        rows = whole.slice(20 * number, 20)
        for name in ("path", "probability", "size", "faces"):
            column = metadata.row_group(number).column(names.index(name))
            values = rows[name].drop_null()
            assert column.has_column_index
            if len(values):
                assert (column.statistics.min, column.statistics.max) == (
                    min(values.to_pylist()),
                    max(values.to_pylist()),
                )
