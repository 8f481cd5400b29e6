"""Through gRPC, the faces are facenet-pytorch's."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.e2e.requests import encoded_image, outputs, tensor
from tests.pictures import astronaut, reference, wall

# The reference is written with three decimals (six for probabilities); what is left is its rounding.
PIXELS = 0.002
PROBABILITY = 1e-5


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
