"""Through gRPC, the faces are facenet-pytorch's."""

import numpy as np
import pytest

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
