"""The stand-ins for facenet-pytorch and ipazc's mtcnn give the reference's numbers through a real server."""

import numpy as np
import pytest
import torch
from PIL import Image

from face_client import facenet_pytorch, mtcnn
from face_client.facenet_pytorch import extract_face, fixed_image_standardization
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.readers.facenet import random_weights
from face_export.weights import load_into
from tests.export.conftest import CLASSES
from tests.pictures import DATA, astronaut, reference, wall

# The reference is written with three decimals (six for probabilities); what is left is its rounding.
PIXELS = 0.002
PROBABILITY = 1e-5

CROPS = np.load(DATA / "astronaut_crops.npz")


@pytest.fixture
def mtcnn_of(client):
    """mtcnn_of(arguments…): facenet-pytorch's MTCNN on the server."""
    return lambda **arguments: facenet_pytorch.MTCNN(client=client, **arguments)


def floats(array):
    return array.astype(np.float64)


@pytest.mark.parametrize("min_face_size", [20, 40])
@pytest.mark.parametrize(("name", "picture"), [("astronaut.png", astronaut), ("wall", wall)])
def test_detect_gives_the_references_numbers(mtcnn_of, name, picture, min_face_size):
    boxes, landmarks, probabilities = reference(name, min_face_size)
    found = mtcnn_of(min_face_size=min_face_size).detect(Image.fromarray(picture()), landmarks=True)
    np.testing.assert_allclose(floats(found[0]), boxes, atol=PIXELS)
    np.testing.assert_allclose(floats(found[1]), probabilities, atol=PROBABILITY)
    np.testing.assert_allclose(floats(found[2]), landmarks, atol=PIXELS)


def test_every_kind_of_picture_gives_the_same_box(mtcnn_of):
    pixels = astronaut()
    one = mtcnn_of().detect(Image.fromarray(pixels))[0]
    assert one.shape == (1, 4)
    for image in (pixels, torch.as_tensor(pixels), pixels.astype(np.float32)):
        np.testing.assert_array_equal(mtcnn_of().detect(image)[0], one)
    for images in ([Image.fromarray(pixels)] * 2, np.stack([pixels] * 2), torch.as_tensor(np.stack([pixels] * 2))):
        boxes, _ = mtcnn_of().detect(images)
        assert boxes.shape == (2, 1, 4)
        np.testing.assert_array_equal(boxes[1], one)


@pytest.mark.parametrize("name", CROPS.files)
def test_faces_are_cut_out_to_the_byte(mtcnn_of, name):
    margin, image_size = (int(part) for part in name.removeprefix("margin").split("_size"))
    faces = mtcnn_of(keep_all=True, post_process=False, margin=margin, image_size=image_size)(
        Image.fromarray(astronaut())
    )
    np.testing.assert_array_equal(faces.numpy(), CROPS[name].transpose(0, 3, 1, 2))


def test_saved_faces_are_those_returned(mtcnn_of, tmp_path):
    """What facenet-pytorch's own tests do: cut out, save, read back, standardise."""
    picture = Image.fromarray(wall())
    faces, probabilities = mtcnn_of(keep_all=True)(picture, save_path=str(tmp_path / "face.png"), return_prob=True)
    assert faces.shape == (12, 3, 160, 160)
    assert probabilities.shape == (12,)
    for number, face in enumerate(faces, start=1):
        saved = np.array(Image.open(tmp_path / ("face.png" if number == 1 else f"face_{number}.png")), np.float32)
        torch.testing.assert_close(fixed_image_standardization(torch.as_tensor(saved).permute(2, 0, 1)), face)


def test_one_face_by_each_method(mtcnn_of):
    picture = Image.fromarray(wall())
    boxes, _, probabilities = reference("wall", 20)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    best = {
        "largest": areas.argmax(),
        "largest_over_threshold": areas.argmax(),
        "center_weighted_size": (areas - 2 * ((centers - [960, 540]) ** 2).sum(axis=1)).argmax(),
    }
    for method, index in best.items():
        face, probability = mtcnn_of(selection_method=method)(picture, return_prob=True)
        assert probability == pytest.approx(probabilities[index], abs=PROBABILITY)
        torch.testing.assert_close(face, fixed_image_standardization(extract_face(picture, boxes[index])))
    _, probability = mtcnn_of(select_largest=False)(picture, return_prob=True)
    assert probability == pytest.approx(probabilities.max(), abs=PROBABILITY)


def test_no_face(mtcnn_of):
    blank = Image.new("RGB", (512, 512))
    assert mtcnn_of()(blank) is None
    faces = mtcnn_of()([blank, Image.fromarray(astronaut())])
    assert faces[0] is None
    assert faces[1].shape == (3, 160, 160)


@pytest.fixture(scope="module")
def network():
    """The FaceNet of the server, here."""
    network = InceptionResnetV1(CLASSES).eval()
    load_into(network, random_weights(CLASSES))
    return network


def test_faces_to_embeddings_and_logits(mtcnn_of, client, network):
    """From a picture to rows, as facenet-pytorch's README has it."""
    faces = mtcnn_of(keep_all=True)(Image.fromarray(wall()))
    resnet = facenet_pytorch.InceptionResnetV1(classify=True, num_classes=CLASSES, client=client).eval()
    with torch.inference_mode():
        embeddings, logits = network(faces)
    torch.testing.assert_close(resnet(faces), logits, atol=1e-4, rtol=0)
    resnet.classify = False
    torch.testing.assert_close(resnet(faces), embeddings, atol=1e-4, rtol=0)
    # The same faces through the server's own chain.
    recognised = client.recognize(wall()).embeddings
    np.testing.assert_allclose(recognised, embeddings.numpy(), atol=1e-4)


@pytest.fixture
def detector(client):
    return mtcnn.MTCNN(client=client)


def test_ipazcs_dictionaries(detector):
    (x1, y1, x2, y2), landmarks, probability = (values[0] for values in reference("astronaut.png", 40))
    (face,) = detector.detect_faces(str(DATA / "astronaut.png"), min_face_size=40)
    assert face["box"] == [round(x1), round(y1), round(x2 - x1), round(y2 - y1)]
    assert face["confidence"] == pytest.approx(probability, abs=PROBABILITY)
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    assert face["keypoints"] == {name: [round(x), round(y)] for name, (x, y) in zip(names, landmarks, strict=True)}


def test_ipazcs_rows_of_several_pictures(detector):
    """Files, their bytes and arrays; of other sizes; without a face; by the likeliest face."""
    path = DATA / "astronaut.png"
    rows = detector.detect_faces(
        [wall(), path.read_bytes(), np.zeros((60, 80, 3), np.uint8), path],
        output_type="numpy",
        box_format="xyxy",
        fit_to_image=False,
        threshold_onet=0.7,
    )
    assert rows.shape == (14, 16)
    np.testing.assert_array_equal(rows[:, 0], [0] * 12 + [1, 3])
    boxes, landmarks, probabilities = reference("wall", 20)
    order = np.argsort(-probabilities, kind="stable")
    np.testing.assert_allclose(rows[:12, 5], probabilities[order], atol=PROBABILITY)
    # Six decimals of the reference may tie: pair the faces by where they are.
    for row in rows[:12]:
        nearest = np.abs(boxes - row[1:5]).sum(axis=1).argmin()
        np.testing.assert_allclose(row[1:5], boxes[nearest], atol=PIXELS)
        np.testing.assert_allclose(row[6:11], landmarks[nearest, :, 0], atol=PIXELS)
        np.testing.assert_allclose(row[11:16], landmarks[nearest, :, 1], atol=PIXELS)


def test_ipazcs_boxes_end_at_the_border(detector):
    """A crop through the face."""
    (x1, y1, x2, y2), _, _ = (values[0] for values in reference("astronaut.png", 20))
    cut = np.ascontiguousarray(astronaut()[int(y1) + 12 : int(y2) + 60, int(x1) - 40 : int(x2) - 4])
    (fitted,) = detector.detect_faces(cut, box_format="xyxy", output_type="numpy")
    (free,) = detector.detect_faces(cut, box_format="xyxy", output_type="numpy", fit_to_image=False)
    height, width = cut.shape[:2]
    assert free[2] < 0 or free[3] > width - 1
    np.testing.assert_allclose(fitted[1:5], free[1:5].clip(0, [width - 1, height - 1] * 2))
