"""`faces gallery calibrate`, `reindex`, `export` and `import`: arguments, output, exit status."""

import json

import numpy as np
import pytest
from PIL import Image

from face_command.main import main
from face_gallery import open_store
from tests.fakes import TRAINED, UNTRAINED
from tests.gallery.people import OTHERS, enrol, near, units

pytestmark = pytest.mark.usefixtures("plain")


def gallery(*arguments) -> int:
    return main(["gallery", *map(str, arguments)])


@pytest.fixture
def crowd(where):
    """A hundred people with two faces each, which are like one another."""
    with open_store(where) as store:
        for seed in (1, 2):
            enrol(store, near(units(100), 0.3, seed))
    return where


@pytest.mark.slow
def test_calibrated_it_decides_by_the_new_threshold(crowd, capsys):
    assert gallery("calibrate", "--rate", "0.05", "--dry-run", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["people"] == 100
    with open_store(crowd) as store:
        assert store.indexes()[0].calibration is None
        assert gallery("calibrate", "--rate", "0.05") == 0
        out = capsys.readouterr().out
        assert f"distance {document['distance']:.3f}: of strangers, 5.000%" in out
        assert "of people's own faces, 0.000%" in out
        assert store.indexes()[0].calibration["distance"] == document["distance"]
        assert gallery("calibrate", "--forget") == 0
        assert store.indexes()[0].calibration is None


@pytest.mark.slow
def test_a_plot_is_replaced_and_no_other_file(crowd, tmp_path):
    plot = tmp_path / "rates.png"
    arguments = ["calibrate", "--rate", "0.05", "--plot", plot]
    assert gallery(*arguments) == gallery(*arguments) == 0
    assert Image.open(plot).size[0] > 500
    Image.new("RGB", (9, 9)).save(plot)
    assert gallery(*arguments) == 2
    assert gallery(*arguments, "--force") == 0
    assert gallery("calibrate", "--plot", crowd) == 2


def test_nobody_to_calibrate_on(where, capsys):
    with open_store(where):
        pass
    assert gallery("calibrate") == 2
    assert "nobody is enrolled in people.gallery" in capsys.readouterr().err
    with open_store(where) as store:
        enrol(store, units(1))
    assert gallery("calibrate") == 2
    assert "too few people to calibrate" in capsys.readouterr().err


@pytest.fixture
def labelled(server, where, picture_of, capsys):
    """Twenty people are enrolled; a folder has three of them and six strangers, one of whom has no face."""
    for number in range(20):
        assert gallery("add", f"p{number}", picture_of(f"enrolled/{number}.png", number)) == 0
    for number in range(3):
        picture_of(f"folder/p{number}/a.png", number)
    for number in range(100, 105):
        picture_of(f"folder/s{number}/a.png", number)
        picture_of(f"folder/s{number}/both.png", number, 1)
    picture_of("folder/nobody/a.png")
    picture_of("folder/stray.png", 1)
    capsys.readouterr()
    assert server.weights == TRAINED
    return where.with_name("folder")


def test_strangers_of_a_folder(labelled, where, capsys):
    """The reference: distances to all who are enrolled."""
    assert gallery("calibrate", "--folder", labelled, "--rate", "0.3", "--json") == 1
    assert "not kept in people.gallery: it rests on too few faces" in capsys.readouterr().err
    with open_store(where) as store:
        assert store.indexes()[0].calibration is None
    assert gallery("calibrate", "--folder", labelled, "--rate", "0.3", "--json", "--keep-few") == 1
    told = capsys.readouterr()
    document = json.loads(told.out)
    everybody = units(256)
    nearest = np.sort([np.linalg.norm(everybody[:20] - everybody[who], axis=1).min() for who in range(100, 105)])
    assert document["distance"] == pytest.approx(nearest[1], abs=1e-6)
    assert (document["probes"], document["people"], document["false_match_rate"]) == (5, 20, 0.2)
    assert (document["own"], document["missed"]) == (3, 0)
    with open_store(where) as store:
        assert store.indexes()[0].calibration == document
    lines = told.err.splitlines()
    assert "kept in people.gallery" in lines
    assert f"{labelled}/stray.png: left out (not in the folder of a person)" in lines
    assert "strangers: 6, people who are enrolled: 3" in lines
    assert f"{labelled}/nobody/a.png: no face was found in the picture" in lines
    assert f"{labelled}/s100/both.png: the picture shows 2 faces, and should show one" in lines


def test_an_enrolled_picture_is_not_looked_up_with_itself(labelled, picture_of, capsys):
    assert gallery("add", "only", picture_of("folder/only/a.png", 50)) == 0
    capsys.readouterr()
    assert gallery("calibrate", "--folder", labelled, "--dry-run", "--json") == 1
    assert json.loads(capsys.readouterr().out)["own"] == 3


def test_a_folder_that_cannot_calibrate(labelled, server, picture_of, tmp_path, capsys):
    picture_of("known/p1/a.png", 1)
    picture_of("faceless/s/a.png")
    assert gallery("calibrate", "--folder", tmp_path / "nowhere") == 2
    assert "which is no folder" in capsys.readouterr().err
    assert gallery("calibrate", "--folder", tmp_path / "known") == 2
    assert "in which nobody is a stranger" in capsys.readouterr().err
    assert gallery("calibrate", "--folder", tmp_path / "faceless") == 2
    assert "no picture of a stranger" in capsys.readouterr().err
    for collection in ("a", "b"):
        assert gallery("add", "Ada", picture_of("folder/Ada/a.png", 30), "--collection", collection, "--force") == 0
    assert gallery("calibrate", "--folder", labelled) == 2
    assert "'Ada' is somebody of a and b: say of which with --collection" in capsys.readouterr().err
    assert gallery("calibrate", "--folder", labelled, "--collection", "b") == 1
    server.weights = OTHERS
    assert gallery("calibrate", "--folder", labelled, "--collection", "b") == 3
    assert "run `faces gallery reindex --activate`" in capsys.readouterr().err


def test_random_weights_are_not_calibrated(where):
    with open_store(where) as store:
        enrol(store, units(5), weights=UNTRAINED)
    assert gallery("calibrate") == 3
    assert gallery("calibrate", "--random-weights") == 1
    with open_store(where) as store:
        assert store.indexes()[0].calibration is None
        assert gallery("calibrate", "--random-weights", "--keep-few") == 0
        assert store.indexes()[0].calibration is not None


@pytest.fixture
def ada_and_bo(server, picture_of, where, capsys):
    """Ada's pictures are kept, Bo's is not but lies where it was."""
    assert gallery("add", "Ada", picture_of("1.png", 1), picture_of("2.png", 1)) == 0
    assert gallery("add", "Bo", picture_of("3.png", 2), "--no-crops") == 0
    server.weights = OTHERS
    capsys.readouterr()
    return where


def test_reindexed_switched_and_switched_back(ada_and_bo, capsys):
    assert gallery("reindex") == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[1].startswith("trained.pt (0f0f0f0f0f0f)\t100.0%\t0.000\t")
    assert told.out.splitlines()[2].startswith("others.pt (aaaaaaaaaaaa)\t100.0%\t0.000\t")
    assert told.err.splitlines() == [
        "3 faces embedded by others.pt (aaaaaaaaaaaa), 0 missing",
        "the index is not enrolled into: `faces gallery reindex --activate`",
    ]
    assert gallery("reindex", "--activate") == 0
    assert "0 faces embedded" in capsys.readouterr().err
    with open_store(ada_and_bo) as store:
        assert [index.weights for index in store.indexes()] == [OTHERS, TRAINED]
        assert gallery("reindex", "--drop", "aa") == 1
        assert "the active index cannot be dropped" in capsys.readouterr().err
        assert gallery("reindex", "--use", "0f0f") == 0
        assert gallery("reindex", "--drop", "AAAA") == 0
        assert [index.weights for index in store.indexes()] == [TRAINED]
    for digest in ("", "77"):
        assert gallery("reindex", "--use", digest) == 2
        assert "it must be the start of one of: trained.pt (0f0f0f0f0f0f)" in capsys.readouterr().err


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no picture")])
def test_whose_faces_are_missing_is_said(ada_and_bo, tmp_path, capsys, spoil):
    spoil(tmp_path / "3.png")
    assert gallery("reindex", "--activate") == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "2 faces embedded by others.pt (aaaaaaaaaaaa), 1 missing"
    assert told[1] == "no picture is kept, or found, of faces of Bo"
    assert told[2].endswith("--use aaaaaaaaaaaa")
    with open_store(ada_and_bo) as store:
        assert store.indexes()[0].weights == TRAINED
    assert gallery("reindex", "--use", "aa") == 1
    assert capsys.readouterr().err.splitlines() == [
        "faces are enrolled into others.pt (aaaaaaaaaaaa) now",
        "1 faces are not embedded by it, and not found: of Bo",
    ]
    for arguments in ([], ["reindex", "--drop", "0f"]):
        assert not arguments or gallery(*arguments) == 0
        capsys.readouterr()
        assert gallery("identify", tmp_path / "1.png") == 0
        assert capsys.readouterr().err.startswith("1 enrolled faces have no embedding by the server's network")


def test_an_index_of_random_weights_is_not_taken_for_the_servers(server, picture_of, where, capsys):
    server.weights = UNTRAINED
    assert gallery("add", "Ada", picture_of("1.png", 1), "--random-weights") == 0
    capsys.readouterr()
    assert gallery("calibrate") == 3
    assert "the index of people.gallery that is enrolled into is of random weights" in capsys.readouterr().err
    server.weights = TRAINED
    assert gallery("reindex") == 0
    capsys.readouterr()
    assert gallery("add", "Bo", picture_of("2.png", 2)) == 3
    assert "run `faces gallery reindex --activate` first" in capsys.readouterr().err
    assert gallery("reindex", "--activate") == 0
    with open_store(where) as store:
        assert store.indexes()[0].weights == TRAINED


def test_out_and_in_again(ada_and_bo, tmp_path, capsys):
    """Ada's two faces are one to the bit, and come in once."""
    file, other = tmp_path / "new" / "out.parquet", tmp_path / "other.gallery"
    assert gallery("export", file) == gallery("export", file) == 0
    assert capsys.readouterr().out.splitlines() == [f"{file}: 2 people, 3 rows"] * 2
    assert gallery("import", file, "--store", other) == 0
    assert capsys.readouterr().out == f"{other}: 2 people and 2 faces more; 2 people in all\n"
    assert gallery("import", file, "--store", other) == 0
    assert capsys.readouterr().out == f"{other}: 0 people and 0 faces more; 2 people in all\n"
    file.write_bytes(b"mine")
    assert gallery("export", file) == 2
    assert gallery("export", ada_and_bo, "--force") == 2
    assert gallery("import", file, "--store", other) == 2
    assert gallery("import", tmp_path / "nowhere", "--store", tmp_path / "made") == 2
    assert "nowhere is no file" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
