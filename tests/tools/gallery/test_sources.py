"""`faces gallery add` out of clusters and out of a run of `faces batch`."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch import schema
from face_batch.shards import _jpeg
from face_command.main import main
from face_gallery import open_store
from tests.fakes import TRAINED
from tests.gallery.people import units
from tests.tools.gallery.conftest import POINTS, sharp_crop

pytestmark = pytest.mark.usefixtures("plain")


def gallery(*arguments) -> int:
    return main(["gallery", *map(str, arguments)])


def enrolled(where) -> dict[str, list[str]]:
    """Whose pictures are there, by their names."""
    found: dict[str, list[str]] = {}
    with open_store(where, create=False) as store:
        for name, details in store.details("default"):
            found.setdefault(name, []).append(details["image"].rsplit("/", 1)[1])
    return found


@pytest.fixture
def clusters(picture_of, tmp_path):
    """1: person 1, alone and with somebody else; 2: person 2, in the same picture; a third one."""
    alone, both = picture_of("alone.png", 1), picture_of("both.png", 1, 2)

    def face(image, left):
        return {"image": image, "box": [left, 0, left + 100, 100], "probability": 0.9}

    file = tmp_path / "clusters.json"
    document = {"distance": 1.1, "clusters": [[face(alone, 0), face(both, 2)], [face(both, 119)], [face(alone, 0)]]}
    file.write_text(json.dumps(document))
    return file


def test_clusters_that_have_a_name_are_enrolled(server, clusters, where, capsys):
    assert gallery("add", "--clusters", clusters, "--name", "1=Ada", "--name", "2=Bo") == 0
    assert sorted(capsys.readouterr().out.splitlines()[1:]) == ["Ada\tdefault\t2\t0", "Bo\tdefault\t1\t0"]
    assert enrolled(where) == {"Ada": ["alone.png", "both.png"], "Bo": ["both.png"]}
    assert len(server.requests) == 2, "a picture of two is asked about once"
    with open_store(where) as store:
        assert [np.abs(face.embedding - units(256)[person]).max() < 1e-6 for face, person in _faces(store)] == [
            True
        ] * 3


def _faces(store):
    people = store.people_by_id(store.ids())
    return [(face, {"Ada": 1, "Bo": 2}[people[face.person].name]) for face in store.faces(TRAINED.sha256)]


@pytest.mark.usefixtures("server")
def test_a_face_that_is_not_found_again_is_told(clusters, where, tmp_path, capsys):
    document = json.loads(clusters.read_text())
    document["clusters"][0][0]["box"] = [500, 0, 600, 100]
    clusters.write_text(json.dumps(document))
    assert gallery("add", "--clusters", clusters, "--name", "1=Ada") == 1
    alone = tmp_path / "alone.png"
    assert capsys.readouterr().err == f"{alone}: the face at 500 0 600 100 was not found again\n"
    alone.unlink()
    assert gallery("add", "--clusters", clusters, "--name", "1=Ada") == 1
    told = capsys.readouterr().err
    assert told.count("alone.png") == 1
    assert "No such file" in told
    assert enrolled(where) == {"Ada": ["both.png"]}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--clusters", "clusters.json"], "--clusters and --name belong together; give both"),
        (["Ada", "alone.png", "--name", "1=Ada"], "--clusters and --name belong together; give both"),
        (["--batch", "run"], "--batch and --persons belong together; give both"),
        (["--clusters", "clusters.json", "--name", "4=Ada"], "--name 4=Ada: clusters.json has 3 clusters"),
        (["--clusters", "clusters.json", "--name", "1=Ada", "--name", "1=Bo"], "two names, 'Ada' and 'Bo'"),
        (["--clusters", "nowhere", "--name", "1=Ada"], "--clusters nowhere cannot be read: No such file"),
        (
            ["--clusters", "alone.png", "--name", "1=Ada"],
            "--clusters is alone.png, which is no file of `faces cluster`",
        ),
        (["--people", ".", "--batch", "run", "--persons", "folder"], "--people and --batch were given"),
        (["--batch", "nowhere", "--persons", "folder"], "--batch is nowhere, in which there is no part-00000.parquet"),
    ],
)
@pytest.mark.usefixtures("clusters")
def test_wrong_usage(server, where, capsys, arguments, sentence):
    assert gallery("add", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not where.exists()
    assert server.requests == []


@pytest.mark.parametrize("text", ["Ada", "=Ada", "0=Ada", "1=", "x=Ada"])
def test_what_is_no_number_and_name(text, capsys):
    with pytest.raises(SystemExit):
        gallery("add", "--clusters", "c.json", "--name", text)
    assert "is not of the form N=NAME" in capsys.readouterr().err


def write_run(folder, pictures: dict[str, list[int] | None], weights=TRAINED, crops=True, frames=()) -> None:
    """As `faces batch --embeddings` does, two pictures a part."""
    folder.mkdir()
    every = [(path, None, people) for path, people in pictures.items()] + list(frames)
    for start in range(0, len(every), 2):
        columns: dict[str, list] = {field.name: [] for field in schema.schema(True, crops)}
        for path, frame, people in every[start : start + 2]:
            for row in _rows(path, frame, people):
                for name, values in columns.items():
                    values.append(row.get(name))
        for name, size in (("box", 4), ("landmarks", 10), ("embedding", 512)):
            columns[name] = [[float("nan")] * size if value is None else value for value in columns[name]]
        table = pa.table(columns, schema.schema(True, crops))
        told = {} if weights is None else {schema.WEIGHTS: json.dumps(weights.to_dict())}
        pq.write_table(table.replace_schema_metadata(told), folder / f"part-{start // 2:05}.parquet")
    (folder / "_SUCCESS").touch()


def _rows(path, frame, people):
    if people is None:
        yield {"path": path, "frame": frame, "status": "failed", "error": "the server failed"}
        return
    yield {"path": path, "frame": frame, "status": "ok", "width": 400, "height": 200, "faces": len(people)}
    for number, person in enumerate(people):
        yield {
            "path": path,
            "frame": frame,
            "face": number,
            "width": 400,
            "height": 200,
            "probability": 0.99,
            "box": [120.0 * number, 0, 120 * number + 100, 100],
            "landmarks": (POINTS + np.array([120 * number, 0])).ravel().tolist(),
            "embedding": units(256)[person].tolist(),
            "crop": _jpeg(sharp_crop()),
        }


@pytest.fixture
def photos(where):
    """Of the run: where the pictures were."""
    return (where.parent / "photos").resolve()


def test_a_run_and_a_list_of_names(server, photos, tmp_path, where, capsys):
    pictures = {"a.jpg": [1], "b.jpg": [1, 2], "c.jpg": [2], "d.jpg": [], "e.jpg": [3], "f.jpg": None}
    write_run(
        tmp_path / "run",
        {f"{photos}/{name}": people for name, people in pictures.items()},
        frames=[(f"{photos}/v.mp4", 0, [1])],
    )
    names = tmp_path / "people.csv"
    names.write_text(
        f"path,person\nphotos/a.jpg,Ada\nphotos/b.jpg,Ada\n{photos}/c.jpg,Bo\nphotos/d.jpg,Bo\nphotos/f.jpg,Bo\nphotos/x.jpg,Cy\n",
        encoding="utf-8-sig",
    )
    arguments = ("add", "--batch", tmp_path / "run", "--persons", names)
    assert gallery(*arguments) == 1
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "1 frames of videos are left out",
        "1 of 6 pictures have no name, and are left out",
        f"{names}: not in the run: {photos}/x.jpg",
        f"{photos}/b.jpg: the face is not enrolled: the picture shows 2 faces, and should show one",
        f"{photos}/d.jpg: no face was found in the picture",
        f"{photos}/f.jpg: faces batch had no answer (failed): the server failed",
    ]
    assert told.out.splitlines()[1:] == ["Ada\tdefault\t1\t1", "Bo\tdefault\t1\t2"]
    assert enrolled(where) == {"Ada": ["a.jpg"], "Bo": ["c.jpg"]}
    with open_store(where) as store:
        face = next(store.faces(TRAINED.sha256))
        np.testing.assert_array_equal(face.embedding, units(256)[1])
        assert face.details["quality"]["sharpness"] > 1
        assert face.crop is not None
        assert [index.weights for index in store.indexes()] == [TRAINED]
    assert gallery(*arguments) == 1
    assert "2 of 5 pictures are enrolled already" in capsys.readouterr().err
    assert server.requests == []


def test_the_folder_is_the_name(tmp_path, where):
    write_run(tmp_path / "run", {"/staff/Ada/1.jpg": [1], "/staff/Ada/2.jpg": [1], "/staff/Bo/1.jpg": [2]}, crops=False)
    assert gallery("add", "--batch", tmp_path / "run", "--persons", "folder") == 0
    assert enrolled(where) == {"Ada": ["1.jpg", "2.jpg"], "Bo": ["1.jpg"]}
    with open_store(where) as store:
        assert all(face.crop is None for face in store.faces())


@pytest.mark.usefixtures("where")
def test_embeddings_that_nobody_knows_are_refused(tmp_path, capsys):
    write_run(tmp_path / "run", {"/staff/Ada/1.jpg": [1]}, weights=None)
    assert gallery("add", "--batch", tmp_path / "run", "--persons", "folder") == 2
    assert "does not say which FaceNet its embeddings are of" in capsys.readouterr().err
    table = pq.read_table(tmp_path / "run" / "part-00000.parquet").drop_columns(["embedding"])
    pq.write_table(table, tmp_path / "run" / "part-00000.parquet")
    assert gallery("add", "--batch", tmp_path / "run", "--persons", "folder") == 2
    assert "has no embedding; run `faces batch --embeddings`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"a.jpg\n", "a line must be path,person, and one is 'a.jpg'"),
        (b"a.jpg,Ada\na.jpg,Bo\n", "a.jpg is of two persons, 'Ada' and 'Bo'"),
        (b"a.jpg,\n", "person is ''"),
        (b"\xff\xfe", "which is no CSV file of UTF-8"),
    ],
)
def test_lists_that_are_none(tmp_path, where, capsys, text, sentence):
    write_run(tmp_path / "run", {"/staff/Ada/1.jpg": [1]})
    (tmp_path / "names.csv").write_bytes(text)
    assert gallery("add", "--batch", tmp_path / "run", "--persons", tmp_path / "names.csv") == 2
    assert sentence in capsys.readouterr().err
    assert not where.exists()
