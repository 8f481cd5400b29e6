"""`faces evaluate lfw` on a small set: the grey of a picture's left half is its embedding's angle in degrees."""

import json

import numpy as np
import pytest
from PIL import Image

import face_client
from face_client import Faces, ModelNotLoaded
from face_command import console
from face_command.main import main
from face_tools.evaluation.lfw import centre_crop
from tests.fakes import TRAINED, UNTRAINED
from tests.standard_sets import write_pairs, write_people

# Greys from here on are pictures in which no face is found.
NO_FACE = 200

# (left, right) grey of each picture.
PEOPLE = {
    "Ann_Lee": [(10, 110), (14, 114), (18, 130)],
    "Bo": [(60, 60), (70, 90)],
    "Cy": [(210, 210), (90, 20)],
}
FOLDS = [
    [("Ann_Lee", 1, 2), ("Bo", 1, 2), ("Ann_Lee", 1, "Bo", 1), ("Ann_Lee", 2, "Cy", 2)],
    [("Ann_Lee", 2, 3), ("Ann_Lee", 1, 3), ("Bo", 2, "Cy", 2), ("Bo", 1, "Cy", 1)],
]


def degrees(image):
    return round(float(image[:, : image.shape[1] // 2].mean()))


def unit(angle):
    vector = np.zeros(512, np.float32)
    vector[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return vector


def chord(angle):
    """The distance of two unit vectors."""
    return 2 * np.sin(np.radians(angle) / 2)


class FakeClient:
    """As FaceClient, with the embeddings of this file."""

    url = "here:1"
    recognizer = "face_recognition"
    embedder = "facenet"

    def __init__(self):
        self.asked = []
        self.options = {}
        self.loaded = True
        self.error = 0
        self.has = TRAINED

    def __call__(self, *_arguments, **_options):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def check_ready(self, model):
        if not self.loaded and model != "face_recognition":
            raise ModelNotLoaded(f"model {model!r} is not loaded")

    def weights(self):
        return self.has

    def recognize_each(self, images, *, crops, in_flight, **options):
        assert in_flight == 16
        self.options = options
        for path in images:
            self.asked.append(path.name)
            image = np.array(Image.open(path))
            angle = degrees(image)
            yield self._faces(image, [angle + self.error] if angle < NO_FACE else [], crops)

    def embed(self, crops):
        return np.stack([unit(degrees(crop)) for crop in crops])

    @staticmethod
    def _faces(image, angles, crops):
        count = len(angles)
        return Faces(
            boxes=np.zeros((count, 4), np.float32),
            probabilities=np.ones(count, np.float32),
            landmarks=np.zeros((count, 5, 2), np.float32),
            width=image.shape[1],
            height=image.shape[0],
            crops=np.stack([image[:160, :160]] * count) if crops and count else None,
            embeddings=np.array([unit(angle) for angle in angles], np.float32).reshape(count, 512),
        )


@pytest.fixture(autouse=True)
def client(monkeypatch):
    fake = FakeClient()
    monkeypatch.setattr(face_client, "FaceClient", fake)
    monkeypatch.setattr(console, "HAS_RICH", False)
    return fake


@pytest.fixture
def data(tmp_path):
    def picture(left, right):
        image = np.full((160, 160, 3), left, np.uint8)
        image[:, 80:] = right
        return image

    folder = tmp_path / "lfw"
    write_people(folder, {name: [picture(*greys) for greys in pictures] for name, pictures in PEOPLE.items()})
    write_pairs(folder / "pairs.txt", FOLDS)
    return folder


@pytest.fixture
def evaluate(data, tmp_path):
    """evaluate(*arguments): the exit status, and report.json."""

    def run(*arguments):
        status = main(["evaluate", "lfw", str(data), "--out", str(tmp_path / "out"), *arguments])
        report = tmp_path / "out" / "report.json"
        return status, json.loads(report.read_text()) if report.exists() else None

    return run


def test_table_report_and_plot(evaluate, client, tmp_path, capsys):
    """Angles of the first fold: same 4 and 10, two 50 and 76; of the second: same 4 and 8, two 20 and 150."""
    status, report = evaluate()
    out, err = capsys.readouterr()
    assert status == 0
    assert client.options == {"selection": "center_weighted_size", "margin": 14}
    # Between 8 and 20 from the second fold, between 10 and 50 from the first: there 20 degrees are taken for one.
    assert [fold["accuracy"] for fold in report["folds"]] == [1.0, 0.75]
    np.testing.assert_allclose(
        [fold["threshold"] for fold in report["folds"]],
        [(chord(8) + chord(20)) / 2, (chord(10) + chord(50)) / 2],
        rtol=1e-5,
    )
    assert report["accuracy"] == 0.875
    assert report["standard_error"] == pytest.approx(0.125)
    assert (report["area_under_curve"], report["equal_error_rate"]) == (1.0, 0.0)
    assert report["tar_at_far"] == {"0.001": None, "0.01": None}
    assert (report["pairs"], report["pictures"], report["without_face"]) == (8, 7, ["Cy/Cy_0001.jpg"])
    assert "accuracy\t0.8750 ± 0.1768\n" in out
    assert "TAR at FAR 0.001\ttoo few pairs\n" in out
    assert "no face was found in 1 of 7 pictures; their centres stand in" in err
    assert Image.open(tmp_path / "out" / "roc.png").size == (832, 624)


def test_the_mirrored_crop_makes_the_mean_of_the_squares(evaluate, data):
    write_pairs(data / "pairs.txt", [[("Ann_Lee", 1, 3), ("Ann_Lee", 1, "Bo", 2)]] * 2)
    status, report = evaluate("--mirror")
    # Left 8 and right 20 degrees apart; left 60 and right 20.
    same = np.sqrt((chord(8) ** 2 + chord(20) ** 2) / 2)
    two = np.sqrt((chord(60) ** 2 + chord(20) ** 2) / 2)
    assert status == 0
    assert report["folds"][0]["threshold"] == pytest.approx((same + two) / 2, rel=1e-5)


def test_only_what_is_new_is_asked_and_one_picture_again(evaluate, client):
    evaluate("--limit", "4")
    asked = list(client.asked)
    client.asked.clear()
    status, report = evaluate()
    assert (status, report["complete"], report["pairs"]) == (0, True, 8)
    assert len(asked) + len(client.asked) == 7 + 1
    assert client.asked[0] in asked
    client.asked.clear()
    client.loaded = False
    assert evaluate() == (status, report), "nothing is left to be asked"
    assert client.asked == []


def test_other_weights_are_noticed(evaluate, client, capsys):
    evaluate("--limit", "4")
    client.error = 30
    assert evaluate()[0] == 2
    assert "it serves other networks" in capsys.readouterr().err


def test_mirrored_and_plain_results_do_not_mix(evaluate, capsys):
    evaluate()
    assert evaluate("--mirror")[0] == 2
    assert "mirror False there and True now" in capsys.readouterr().err


def test_random_weights_are_measured_by_whoever_says_so_and_the_results_keep_it(evaluate, client, capsys):
    client.has = UNTRAINED
    assert evaluate() == (3, None)
    assert "random weights" in capsys.readouterr().err
    assert client.asked == []


def test_results_of_random_weights_are_never_taken_for_others(evaluate, client, capsys):
    client.has = UNTRAINED
    _, report = evaluate("--random-weights")
    assert report["random_weights"] is True
    assert "faces evaluate lfw: WARNING" in capsys.readouterr().err
    assert evaluate()[0] == 2
    assert "random_weights True there and not set now" in capsys.readouterr().err


def test_facenet_that_is_not_loaded_is_told_before_any_picture_is_asked(evaluate, client, capsys):
    client.loaded = False
    assert evaluate() == (3, None)
    assert "no server with model 'facenet' is ready" in capsys.readouterr().err
    assert client.asked == []


def test_pairs_without_their_pictures_are_left_out(evaluate, data, capsys):
    (data / "Bo" / "Bo_0002.jpg").unlink()
    status, report = evaluate()
    assert (status, report["complete"], report["missing"]) == (1, False, ["Bo/Bo_0002.jpg"])
    assert (report["pairs"], report["skipped_pairs"]) == (6, 2)
    assert "pictures that these numbers lack: 1" in capsys.readouterr().err


def test_pairs_by_another_name_and_those_of_one_fold(evaluate, data, tmp_path, capsys):
    write_pairs(tmp_path / "dev.txt", FOLDS[:1])
    assert evaluate("--pairs", str(tmp_path / "dev.txt"))[0] == 2
    assert "accuracy needs two folds or more" in capsys.readouterr().err
    (data / "pairs.txt").unlink()
    assert evaluate()[0] == 2
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(("height", "width"), [(250, 250), (120, 300), (1, 1)])
def test_the_centre_crop_is_where_the_sets_detector_saw_the_face(height, width):
    y, x = np.mgrid[0:height, 0:width]
    side = min(height, width) / 2.2
    inside = (abs(y - (height - 1) / 2) < side / 2 - 2) & (abs(x - (width - 1) / 2) < side / 2 - 2)
    crop = centre_crop(np.repeat(np.where(inside, 255, 0).astype(np.uint8)[:, :, None], 3, axis=2))
    assert crop.shape == (160, 160, 3)
    if side > 1:
        # All of the inner square, and a rim of two pixels around it.
        assert (crop > 127).mean() == pytest.approx(((side - 4) / side) ** 2, abs=0.06)
