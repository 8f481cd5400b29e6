"""The generated set is in the real formats, and accuracy is counted as one would by hand."""

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image

from face_repository.layout import REQUIRED, Repository
from face_training.annotations.index import Report, checked
from face_training.annotations.lists import read_facial_points, read_wider
from face_training.errors import TrainingError
from face_training.rehearsal.__main__ import clear
from face_training.rehearsal.serving import accuracy, draw_curves, make_repository
from face_training.rehearsal.sets import generate, photo_with_face, portraits, scenes, write_facial_points, write_wider
from face_training.workplace import STAGES, Workplace
from tests.pictures import astronaut
from tests.training.test_engine import SETTINGS, engine, make_store


def test_generated_pictures_are_read_back_as_they_were_made(tmp_path):
    made = write_wider(tmp_path, "train", 12, np.random.default_rng(4))
    found = list(checked(read_wider(tmp_path), Report("wider")))
    assert [(picture.width, picture.height) for picture in found] == [p.pixels.shape[1::-1] for p in made]
    for picture, expected in zip(found, made, strict=True):
        np.testing.assert_allclose(picture.faces, expected.boxes, atol=0.51)
    assert sum(len(picture.faces) for picture in found) > 10
    assert any(len(picture.faces) == 0 for picture in found)


def test_generated_facial_points_lie_in_their_faces(tmp_path):
    write_facial_points(tmp_path, 6, np.random.default_rng(5))
    found = list(checked(read_facial_points(tmp_path), Report("landmarks")))
    assert len(found) == 6
    for picture in found:
        (left_eye, right_eye, _, left_mouth, right_mouth), (face,) = picture.landmarks[0], picture.faces
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        grow = 0.1 * (face[2:] - face[:2])
        assert (picture.landmarks[0] > face[:2] - grow).all()
        assert (picture.landmarks[0] < face[2:] + grow).all()


def test_pasted_faces_do_not_touch_and_show_the_portrait():
    heads, places = portraits(), scenes()
    random = np.random.default_rng(6)
    for _ in range(10):
        picture = generate(heads, places, random, (400, 300), 4, (22, 90))
        for n, box in enumerate(picture.boxes):
            others = np.delete(picture.boxes, n, axis=0)
            assert all((box[:2] > o[2:]).any() or (o[:2] > box[2:]).any() for o in others)
    plain = generate(heads[:1], [np.zeros((300, 400, 3), np.uint8)], random, (400, 300), 1, (150, 151))
    x1, y1, x2, y2 = plain.boxes[0].astype(int)
    assert plain.pixels[y1:y2, x1:x2].std() > 15 > plain.pixels[:, :5].std()


def test_the_sample_photo_is_the_portrait(tmp_path):
    path, face = photo_with_face(tmp_path)
    assert path.exists()
    assert face.shape == (1, 4)
    np.testing.assert_array_equal(np.array(Image.open(path)), astronaut())


def test_accuracy_counts_each_face_once():
    face, far = [10, 10, 50, 50], [200, 200, 240, 240]
    close, second = [12, 12, 52, 52], [8, 8, 50, 50]
    found = [np.array([close, second, far]), np.empty((0, 4)), np.array([far])]
    truth = [np.array([face]), np.array([face]), np.empty((0, 4))]
    counted = accuracy(found, truth)
    assert (counted.faces, counted.found, counted.false) == (2, 1, 3)
    assert (counted.recall, counted.precision) == (0.5, 0.25)
    nothing = accuracy([], [])
    assert math.isnan(nothing.recall)
    assert math.isnan(nothing.precision)


@pytest.mark.slow
def test_the_repository_holds_all_that_a_server_needs(tmp_path):
    make_repository(tmp_path / "models", dict.fromkeys(STAGES, "pretrained"))
    assert set(Repository.read(tmp_path / "models").loadable) == set(REQUIRED)


@pytest.mark.slow
def test_the_curves_are_drawn(tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=2, batches=1)
    for stage in STAGES:
        list(engine(tmp_path / stage, make_store(tmp_path / stage / "samples", stage), stage, settings).run())
    draw_curves(Workplace(tmp_path), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_only_what_a_demo_made_is_removed_before_another(tmp_path):
    clear(tmp_path / "new")
    for name in ("work", "mine"):
        for folder in (tmp_path, tmp_path / "new"):
            (folder / name).mkdir()
            (folder / name / "file").write_text("")
    clear(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"mine", ".train-demo"}
    with pytest.raises(TrainingError, match="work would be removed"):
        clear(tmp_path)
    assert (tmp_path / "work" / "file").exists()
