"""`faces blur` on the real server: who was found before is not found in what was written."""

import json

import numpy as np
import pytest
from PIL import Image

from face_command.main import main
from face_gallery import Gallery
from face_tools.blur import METHODS, RECALL
from face_tools.video import detect_video
from tests import clips
from tests.clips import somebody_else
from tests.pictures import astronaut, crowd

FRAMES = 50


def overlaps(boxes, others):
    """[N, M]: IoU."""
    left_top = np.maximum(boxes[:, None, :2], others[None, :, :2])
    common = np.maximum(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - left_top, 0).prod(axis=2)
    areas = [(these[:, 2:] - these[:, :2]).prod(axis=1) for these in (boxes, others)]
    return common / (areas[0][:, None] + areas[1][None] - common)


def still_found(client, before, after):
    """How many faces of one picture are found at the same places in another."""
    return int((overlaps(client.detect(before).boxes, client.detect(after).boxes) > 0.3).any(axis=1).sum())


@pytest.mark.parametrize("method", METHODS)
def test_no_face_is_found_where_one_was(triton, client, tmp_path, method, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.fromarray(astronaut()).save(photos / "one.png")
    Image.fromarray(crowd()[0]).save(photos / "crowd.jpg", quality=95)
    assert main(["blur", str(photos), str(out), "--method", method, "--json", "--url", triton.grpc_url]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, least in zip(lines, (crowd()[1], 1), strict=True):
        found = client.detect(line["image"])
        assert len(line["faces"]) >= len(found) >= least
        covered = np.array([face["box"] for face in line["faces"]])
        assert (overlaps(found.boxes, covered).max(axis=1) > 0.5).all()
        assert still_found(client, line["image"], line["written"]) == 0


def test_a_clip(triton, client, tmp_path, capsys):
    """Every fourth frame is looked at; one of three faces is hidden for six frames, in which its mask goes on."""
    pictures, boxes = zip(*clips.frames(FRAMES), strict=True)
    clip = clips.write(tmp_path / "clip.mp4", pictures, sound="aac")
    out = tmp_path / "out.mp4"
    options = ["--stride", "4", "--method", "mask", "--url", triton.grpc_url]
    assert main(["blur", str(clip), str(out), "--json", *options]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    written = clips.read(out)
    assert len(lines) == len(written) == FRAMES
    for picture, line, known in zip(written, lines, boxes, strict=True):
        masks = np.array([face["box"] for face in line["faces"]])
        for box in known.values():
            assert overlaps(box[None], masks).max() > 0.5, line["frame"]
            x1, y1, x2, y2 = box.round().astype(int)
            assert picture[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean() < 20, line["frame"]
    hidden = {len(line["faces"]) for line in lines[20:26]}
    assert min(hidden) >= 3
    assert not any(len(answer.faces) for answer in detect_video(client, out))


def test_all_but_one_of_a_gallery(triton, client, tmp_path, capsys):
    """Random weights tell a picture from others, and nothing more."""
    photos, where = tmp_path / "photos", tmp_path / "people.gallery"
    photos.mkdir()
    Image.fromarray(astronaut()).save(photos / "a.png")
    Image.fromarray(somebody_else()).save(photos / "b.png")
    with Gallery(client, where, random_weights=True) as gallery:
        # Asked for as `faces blur` does, it is the same box to the last bit, and the same embedding.
        gallery.add("Eileen", [photos / "a.png"], force=True, **RECALL)
    options = ["--gallery", str(where), "--but", "Eileen", "--threshold", "0.01", "--random-weights"]
    asking = ["--url", triton.grpc_url, "--timeout", "120"]
    assert main(["blur", str(photos), str(tmp_path / "out"), *options, *asking, "--json"]) == 0
    first, second = (json.loads(line)["faces"] for line in capsys.readouterr().out.splitlines())
    assert [face["covered"] for face in first if face.get("person") == "Eileen"] == [False]
    assert all(face["covered"] and "person" not in face for face in second)
    assert still_found(client, photos / "a.png", tmp_path / "out" / "a.png") == 1
    assert still_found(client, photos / "b.png", tmp_path / "out" / "b.png") == 0
