"""`faces gallery` on the real server, whose FaceNet has random weights: only a face itself is near enough to itself."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from face_command.main import main
from face_gallery import Gallery, open_store
from face_gallery.quality import Gate, Quality
from face_gallery.reindexing import reindex
from tests import clips
from tests.pictures import astronaut, wall

# Between embeddings of one face, and those of two even by random weights.
NEAR = "0.02"


@pytest.fixture
def pictures(tmp_path):
    """The portrait, and copies that will not do."""
    portrait = Image.fromarray(astronaut())
    for name, picture in (
        ("one.png", portrait),
        ("blurred.png", portrait.filter(ImageFilter.GaussianBlur(7))),
        ("dark.png", Image.eval(portrait, lambda value: value * 0.15)),
        ("small.png", portrait.resize((128, 128))),
        ("wall.png", Image.fromarray(wall())),
    ):
        picture.save(tmp_path / name)
    return tmp_path


@pytest.fixture
def gallery(triton, tmp_path):
    """gallery("add", …): the exit status, with a gallery of its own."""

    def run(verb, *arguments):
        asks = verb in ("add", "identify", "verify", "calibrate")
        connection = ["--url", triton.grpc_url, "--timeout", "120", "--random-weights"] if asks else []
        where = ["--store", str(tmp_path / "people.gallery")]
        return main(["gallery", verb, *map(str, arguments), *where, *connection])

    return run


def test_enrolled_identified_verified_and_forgotten(gallery, pictures, capsys):
    assert gallery("add", "Ada", pictures / "one.png", "--metadata", "site=A") == 0
    assert gallery("identify", pictures / "one.png", "--threshold", NEAR, "--json") == 0
    (face,) = json.loads(capsys.readouterr().out.splitlines()[-1])["faces"]
    assert (face["person"], face["candidates"][0]["metadata"]) == ("Ada", {"site": "A"})
    assert face["distance"] < 0.002
    sheet, copies = pictures / "sheet.png", pictures / "named"
    arguments = ("--sheet", sheet, "--save", copies)
    assert gallery("identify", pictures / "wall.png", "--threshold", "0.0001", *arguments) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) > 5
    assert all("(unknown)" in row for row in rows[1:])
    assert Image.open(copies / "wall.png").size == Image.open(pictures / "wall.png").size
    assert Image.open(sheet).size[1] == 8 + 142 * (len(rows) - 1)
    assert gallery("verify", "Ada", pictures / "one.png", "--threshold", NEAR) == 0
    assert gallery("remove", "Ada", "--yes") == 0
    assert gallery("verify", "Ada", pictures / "one.png") == 2


def test_the_gate_on_real_crops(gallery, pictures, capsys):
    names = ("blurred", "dark", "small", "wall")
    assert gallery("add", "Ada", *(pictures / f"{name}.png" for name in names), "--json") == 1
    (row,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    said = [refused["error"]["message"] for refused in row["refused"]]
    for sentence, word in zip(said, ("its sharpness is", "brightest parts", "pixels large", "faces"), strict=True):
        assert word in sentence
    assert gallery("identify", pictures / "blurred.png", "--quality") == 0
    told = capsys.readouterr()
    assert "(not good enough)" in told.out
    assert "its sharpness is" in told.err


def test_calibrated_by_a_folder(gallery, pictures, capsys):
    """Ada's own face in another light, and for a stranger's the portrait mirrored."""
    assert gallery("add", "Ada", pictures / "one.png") == 0
    portrait = Image.open(pictures / "one.png")
    for name, picture in (
        ("folder/Ada/bright.png", Image.eval(portrait, lambda value: min(255, value * 1.1))),
        ("folder/Bo/mirrored.png", portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        ("folder/Cy/none.png", Image.new("RGB", portrait.size)),
    ):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(pictures / name)
    capsys.readouterr()
    assert gallery("calibrate", "--folder", pictures / "folder", "--json") == 1
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert (document["people"], document["probes"], document["own"], document["is_few"]) == (1, 1, 1, True)
    assert 0 < document["distance"] < 2
    assert "none.png: no face was found in the picture" in told.err


def test_an_option_of_identification(client, pictures):
    with Gallery(client, pictures / "own.gallery", random_weights=True) as gallery:
        gallery.add("Ada", [pictures / "one.png"])
        (good,) = gallery.identify(pictures / "one.png", gate=Gate())
        (poor,) = gallery.identify(pictures / "blurred.png", gate=Gate())
    assert (good.person, good.refusals) == ("Ada", [])
    assert poor.person is None
    assert poor.refusals == Gate().refusals(Quality.of(poor.face))
    assert poor.candidates[0].person == "Ada"


def test_clusters_that_were_looked_at(gallery, triton, pictures, capsys):
    Image.fromarray(astronaut()).save(pictures / "two.webp", lossless=True)
    sheet = pictures / "clusters.png"
    paths = [str(pictures / name) for name in ("one.png", "two.webp")]
    asking = ["--url", triton.grpc_url, "--random-weights", "--distance", NEAR]
    assert main(["cluster", *paths, "--sheet", str(sheet), *asking]) == 0
    assert gallery("add", "--clusters", sheet.with_suffix(".json"), "--name", "1=Ada") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Ada\tdefault\t2\t0"


@pytest.mark.slow
def test_a_run_of_faces_batch(gallery, triton, pictures, tmp_path, capsys):
    """The embeddings of the tables are those that the server gives itself."""
    folder = tmp_path / "staff" / "Ada"
    folder.mkdir(parents=True)
    (pictures / "one.png").rename(folder / "one.png")
    (pictures / "blurred.png").rename(folder / "blurred.png")
    options = ["--embeddings", "--crops", "--mode", "remote", "--url", triton.grpc_url]
    assert main(["batch", str(tmp_path / "staff"), str(tmp_path / "run"), *options]) == 0
    assert gallery("add", "--batch", tmp_path / "run", "--persons", "folder") == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "Ada\tdefault\t1\t1"
    assert "its sharpness is" in told.err
    assert gallery("verify", "Ada", folder / "one.png", "--threshold", NEAR) == 0


@pytest.mark.slow
def test_names_in_a_video(gallery, triton, pictures, tmp_path, capsys):
    pictures_of_clip, _ = zip(*clips.frames(50), strict=True)
    clip = clips.write(tmp_path / "clip.mp4", pictures_of_clip)
    assert gallery("add", "Ada", pictures / "one.png") == 0
    asking = ["--url", triton.grpc_url, "--timeout", "120", "--random-weights", "--min-face-size", "40"]
    named = ["--gallery", str(tmp_path / "people.gallery"), "--look-every", "2"]
    assert main(["video", str(clip), *asking, *named, "--stride", "4", "--out", str(tmp_path / "named.mp4")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "named.jsonl").read_text().splitlines()]
    assert [face["person"] for face in lines[0]["faces"]] == [None] * 3
    assert {face["person"] for face in lines[-1]["faces"]} == {"Ada"}, "random weights take everybody for anybody"
    assert "#1: Ada" in capsys.readouterr().err


def test_another_index_is_the_same_by_the_same_weights(gallery, client, pictures):
    """Kept crops are what FaceNet saw: embedded again they are the same."""
    assert gallery("add", "Ada", pictures / "one.png") == 0
    with open_store(pictures / "people.gallery") as store:
        (face,) = store.faces(store.indexes()[0].weights.sha256)
        assert reindex(store, client, random_weights=True).embedded == 0
        crop = next(iter(store.crops([face.id]).values()))
    path = pictures / "crop.png"
    path.write_bytes(crop)
    again = client.embed([np.asarray(Image.open(path))])[0]
    np.testing.assert_allclose(again, face.embedding, atol=1e-5)
