"""Through gRPC, the faces are facenet-pytorch's."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.requests import encoded_image, outputs, tensor
from tests.pictures import astronaut, crowd, reference, wall

# The reference is written with three decimals (six for probabilities); what is left is its rounding.
PIXELS = 0.002
PROBABILITY = 1e-5


ROOT = Path(__file__).parents[2]


def test_the_picture_of_the_readme_shows_what_its_caption_says(client):
    picture, heads = crowd()
    faces = client.detect(picture)
    caption, file = re.search(r"!\[(.*)\]\((.*)\)", (ROOT / "README.md").read_text()).groups()
    assert len(faces) == heads == int(re.search(r"\d+", caption)[0])
    shown = np.array(Image.open(ROOT / file).convert("RGB"), np.int64)
    assert shown.shape == picture.shape
    # The left edge of each box, drawn in green; JPEG blurs it.
    for x1, y1, _, y2 in faces.boxes:
        red, green, _ = shown[round((y1 + y2) / 2), round(x1) : round(x1) + 3].mean(axis=0)
        assert green - red > 60, (x1, y1)


@pytest.mark.parametrize("min_face_size", [20, 40])
@pytest.mark.parametrize(("name", "picture"), [("astronaut.png", astronaut), ("wall", wall)])
def test_faces_are_the_references(client, name, picture, min_face_size):
    boxes, landmarks, probabilities = reference(name, min_face_size)
    faces = client.detect(picture(), min_face_size=min_face_size)
    assert len(faces) == len(boxes)
    np.testing.assert_allclose(faces.boxes, boxes, atol=PIXELS)
    np.testing.assert_allclose(faces.landmarks, landmarks, atol=PIXELS)
    np.testing.assert_allclose(faces.probabilities, probabilities, atol=PROBABILITY)
    assert faces.candidates_dropped == 0


def test_the_size_of_the_picture_is_that_of_the_upright_one(grpc_client):
    def size(*inputs, model="mtcnn"):
        return grpc_client.infer(model, inputs, outputs=outputs("picture_size")).as_numpy("picture_size").tolist()

    lying, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((60, 90, 3), np.uint8)).save(lying, "JPEG", exif=exif)
    assert size(encoded_image(lying.getvalue())) == [[60, 90]]
    assert size(encoded_image(lying.getvalue()), model="face_recognition") == [[60, 90]]
    assert size(tensor("image", np.zeros((3, 60, 90, 3), np.uint8))) == [[90, 60]] * 3
