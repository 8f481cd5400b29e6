"""`faces evaluate` against the real server, on sets made of the one photo."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

from face_command.main import main
from face_tools.evaluation.lfw import centre_crop, pictures_of, read_pairs
from tests.pictures import astronaut, reference, wall
from tests.standard_sets import write_pairs, write_people, write_wider_mat, write_wider_pictures, write_wider_text

AS_SERVED = [
    *("--min-face-size", "20", "--factor", "0.709"),
    *("--threshold-pnet", "0.6", "--threshold-rnet", "0.7", "--threshold-onet", "0.7"),
]


def annotation(boxes):
    """x1, y1, x2, y2 as people annotate: whole x, y, width, height."""
    corners = np.round(boxes).astype(int)
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()


@pytest.fixture
def wider(tmp_path):
    """Three pictures: twelve faces, of which `easy` has the four largest, `medium` seven; one face; none."""
    twelve, one = reference("wall", 20)[0], reference("astronaut.png", 20)[0]
    events = {
        "0--Wall": {"wall": annotation(twelve)},
        "1--Portrait": {"portrait": annotation(one), "grey": []},
    }
    largest = np.argsort(-(twelve[:, 2] - twelve[:, 0])) + 1
    subsets = {
        "easy": {"wall": largest[:4]},
        "medium": {"wall": largest[:7], "portrait": [1]},
        "hard": {"wall": largest, "portrait": [1]},
    }
    folder = tmp_path / "WIDER"
    write_wider_mat(folder / "ground_truth", events, subsets)
    write_wider_text(folder / "wider_face_split" / "wider_face_val_bbx_gt.txt", events)
    pictures = {
        "0--Wall/wall.jpg": wall(),
        "1--Portrait/portrait.jpg": astronaut(),
        "1--Portrait/grey.jpg": np.full((120, 160, 3), 127, np.uint8),
    }
    write_wider_pictures(folder, pictures)
    return folder


def evaluate(triton, kind, folder, out, *arguments):
    status = main(["evaluate", kind, str(folder), "--out", str(out), "--url", triton.grpc_url, *arguments])
    return status, json.loads((out / "report.json").read_text())


def test_wider_with_the_servers_own_defaults(triton, wider, tmp_path):
    """Every face of the reference is found, and nothing else."""
    status, report = evaluate(triton, "wider", wider, tmp_path / "out", *AS_SERVED)
    assert (status, report["complete"], report["pictures"], report["detections"]) == (0, True, 3, 13)
    assert {name: (s["faces"], s["average_precision"]) for name, s in report["subsets"].items()} == {
        "easy": (4, 1.0),
        "medium": (8, 1.0),
        "hard": (13, 1.0),
    }
    assert Image.open(tmp_path / "out" / "precision-recall.png").size == (832, 624)


def test_wider_as_it_is_measured(triton, wider, tmp_path, capsys):
    """Unlikely detections come too; those that are false are less likely than the faces. A second run asks nothing."""
    text = wider / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    arguments = (triton, "wider", wider, tmp_path / "out", "--ground-truth", str(text))
    status, report = evaluate(*arguments)
    assert status == 0
    assert report["subsets"]["all"]["recall"] == 1.0
    assert report["subsets"]["all"]["precision"] < 1.0
    assert report["subsets"]["all"]["average_precision"] > 0.9
    assert evaluate(*arguments) == (status, report)
    assert "3 of 3 pictures are in" in capsys.readouterr().err


def test_thresholds(triton, client, tmp_path):
    """The likeliest of what one request gives are what a request with that threshold gives."""
    picture = tmp_path / "wall.png"
    # Noise is full of what looks a little like a face.
    noise = np.random.RandomState(0).normal(0, 40, (1080, 1920, 3))
    Image.fromarray((wall() + noise).clip(0, 255).astype(np.uint8)).save(picture)
    faces = [{"box": box} for box in reference("wall", 20)[0].tolist()]
    (tmp_path / "labels.jsonl").write_text(json.dumps({"image": "wall.png", "faces": faces}))
    arguments = ("--pictures", str(tmp_path))
    status, report = evaluate(triton, "thresholds", tmp_path / "labels.jsonl", tmp_path / "out", *arguments)
    assert (status, report["faces"]) == (0, 12)
    counts = [row["found"] + row["false"] for row in report["thresholds"]]
    assert counts[0] > counts[-1]
    for row, count in zip(report["thresholds"], counts, strict=True):
        assert len(client.detect(picture, threshold_onet=row["threshold"])) == count


def portrait(brightness=1.0, turn=0.0, channels=(0, 1, 2)):
    """The photo as a picture of the set: 250 x 250, the face in the middle."""
    picture = (
        Image.fromarray(astronaut()).rotate(turn, Image.Resampling.BICUBIC, center=(224, 116)).crop((99, 0, 349, 250))
    )
    return (np.asarray(picture)[:, :, channels] * brightness).clip(0, 255).astype(np.uint8)


@pytest.fixture
def lfw(tmp_path):
    """Two people by the colours of one photo, and a picture in which no face is found."""
    people = {
        "Ann_Lee": [portrait(), portrait(), portrait(0.8), portrait(turn=8)],
        "Bo": [portrait(channels=(2, 1, 0)), portrait(0.9, channels=(2, 1, 0)), np.full((250, 250, 3), 127, np.uint8)],
    }
    folds = [
        [("Ann_Lee", 1, 2), ("Ann_Lee", 3, 4), ("Ann_Lee", 1, "Bo", 1), ("Ann_Lee", 2, "Bo", 3)],
        [("Bo", 1, 2), ("Ann_Lee", 2, 3), ("Ann_Lee", 3, "Bo", 2), ("Ann_Lee", 4, "Bo", 1)],
    ]
    folder = tmp_path / "lfw"
    write_people(folder, people)
    write_pairs(folder / "pairs.txt", folds)
    return folder


def embedding(client, path):
    """By other calls than the command's."""
    faces = client.recognize(path, selection="center_weighted_size", margin=14)
    return faces.embeddings[0] if faces else client.embed([centre_crop(np.array(Image.open(path)))])[0]


def test_lfw(triton, client, lfw, tmp_path, capsys):
    """With random weights the numbers mean nothing, but they must be those of the pairs' distances."""
    status, report = evaluate(triton, "lfw", lfw, tmp_path / "out", "--random-weights")
    assert (status, report["complete"], report["pairs"], report["pictures"]) == (0, True, 8, 7)
    assert report["without_face"] == ["Bo/Bo_0003.jpg"]
    pairs = read_pairs(lfw / "pairs.txt")
    embeddings = {name: embedding(client, lfw / name) for name in pictures_of(pairs)}
    distances = [np.linalg.norm(embeddings[pair.first] - embeddings[pair.second]) for pair in pairs]
    assert distances[0] < 1e-3, "the same picture twice"
    same = [d for d, pair in zip(distances, pairs, strict=True) if pair.same]
    other = [d for d, pair in zip(distances, pairs, strict=True) if not pair.same]
    assert report["area_under_curve"] == pytest.approx(sum(a < b for a in same for b in other) / 16)
    for fold, result in enumerate(report["folds"]):
        right = [(d < result["threshold"]) == p.same for d, p in zip(distances, pairs, strict=True) if p.fold == fold]
        assert result["accuracy"] == pytest.approx(np.mean(right))
    assert report["accuracy"] == pytest.approx(np.mean([result["accuracy"] for result in report["folds"]]))
    assert Image.open(tmp_path / "out" / "roc.png").size == (832, 624)
    assert evaluate(triton, "lfw", lfw, tmp_path / "out", "--random-weights") == (0, report)
    assert "7 of 7 pictures are in" in capsys.readouterr().err


def test_lfw_with_mirrored_crops(triton, client, lfw, tmp_path):
    """The centre crop's mirror image is known, so that its embedding can be."""
    status, _ = evaluate(triton, "lfw", lfw, tmp_path / "mirrored", "--mirror", "--random-weights")
    assert status == 0
    crop = centre_crop(np.array(Image.open(lfw / "Bo" / "Bo_0003.jpg")))
    lines = map(json.loads, (tmp_path / "mirrored" / "embeddings.jsonl").read_text().splitlines())
    (record,) = (line for line in lines if line.get("image") == "Bo/Bo_0003.jpg")
    stored = np.frombuffer(base64.b64decode(record["embedding"]), "<f4")
    both = client.embed([crop, crop[:, ::-1]])
    np.testing.assert_allclose(stored, both.ravel() * 0.5**0.5, atol=1e-5)
