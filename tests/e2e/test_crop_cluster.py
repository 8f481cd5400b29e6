"""`faces crop` and `faces cluster` on the real server."""

import json

import numpy as np
import pytest
from PIL import Image

from face_command.main import main
from face_tools.clustering import UNCLUSTERED, cluster
from tests.pictures import astronaut, wall


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The portrait twice, the wall of twelve, and a picture without a face in a subfolder."""
    root = tmp_path_factory.mktemp("pictures")
    (root / "sub").mkdir()
    Image.fromarray(astronaut()).save(root / "one.png")
    Image.fromarray(astronaut()).save(root / "sub" / "two.webp", lossless=True)
    Image.fromarray(wall()).save(root / "wall.png")
    Image.fromarray(np.full((90, 120, 3), 128, np.uint8)).save(root / "sub" / "grey.png")
    return root


def test_crops_are_the_librarys(folder, tmp_path, triton, client, capsys):
    options = ["--image-size", "96", "--margin", "10", "--min-face-size", "40", "--timeout", "120"]
    assert main(["crop", str(folder), str(tmp_path), "--url", triton.grpc_url, *options]) == 0
    expected = client.detect(folder / "wall.png", crops=True, image_size=96, margin=10, min_face_size=40).crops
    assert len(expected) > 5
    for number, crop in enumerate(expected, 1):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"wall_{number}.png")), crop)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")}
    assert names == {"one_1.png", "sub/two_1.png", *(f"wall_{number + 1}.png" for number in range(len(expected)))}
    assert f"{folder / 'sub' / 'grey.png'}\tno face\t" in capsys.readouterr().out


def test_the_same_portrait_is_one_cluster(folder, tmp_path, triton, client):
    # Random weights: they tell equal pictures from others, and nothing more.
    pictures = [folder / "one.png", folder / "sub" / "two.webp", folder / "sub" / "grey.png"]
    clusters = cluster(client, pictures, distance=0.01, random_weights=True)
    assert clusters.images == [0, 1]
    assert clusters.labels.tolist() == [0, 0]
    assert (
        cluster(client, pictures, distance=0.01, min_faces=3, random_weights=True).labels.tolist() == [UNCLUSTERED] * 2
    )
    sheet = tmp_path / "sheet.png"
    arguments = [
        "--sheet",
        str(sheet),
        "--distance",
        "0.01",
        "--url",
        triton.grpc_url,
        "--timeout",
        "120",
        "--random-weights",
    ]
    assert main(["cluster", str(folder), *arguments]) == 0
    document = json.loads(sheet.with_suffix(".json").read_text())
    together = [sorted(face["image"] for face in faces) for faces in document["clusters"]]
    assert [str(folder / "one.png"), str(folder / "sub" / "two.webp")] in together
    faces = sum(map(len, document["clusters"])) + len(document["unclustered"])
    assert faces == 2 + len(client.detect(folder / "wall.png"))
    assert Image.open(sheet).width > 900
