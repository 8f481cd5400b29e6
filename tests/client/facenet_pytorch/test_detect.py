"""detect(): every form of picture, and the arrays and Nones that come back."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from face_client import FaceClient, InvalidImage, InvalidInput
from face_client.facenet_pytorch import MTCNN
from tests.client.facenet_pytorch.conftest import BOXES, LANDMARKS, PROBABILITIES

SINGLE = {
    "Pillow image": Image.fromarray,
    "array": lambda pixels: pixels,
    "float array": lambda pixels: pixels.astype(np.float32),
    "tensor": torch.as_tensor,
    "float tensor": lambda pixels: torch.as_tensor(pixels).double(),
    "tensor in a graph": lambda pixels: torch.as_tensor(pixels).float().requires_grad_(),
}
MANY = {
    "list of Pillow images": lambda pictures: [Image.fromarray(pixels) for pixels in pictures],
    "tuple of arrays": tuple,
    "list of tensors": lambda pictures: [torch.as_tensor(pixels) for pixels in pictures],
    "array": np.stack,
    "tensor": lambda pictures: torch.as_tensor(np.stack(pictures)),
}


@pytest.mark.parametrize("kind", SINGLE)
def test_one_picture(kind, mtcnn_of, scene):
    boxes, probabilities, points = mtcnn_of().detect(SINGLE[kind](scene(3)), landmarks=True)
    # Python floats in object arrays, as facenet-pytorch has them.
    assert [array.dtype for array in (boxes, probabilities, points)] == [object] * 3
    assert isinstance(boxes[0, 0], float)
    np.testing.assert_array_equal(boxes.astype(np.float32), BOXES[[0, 1, 2]])
    np.testing.assert_array_equal(probabilities.astype(np.float32), PROBABILITIES)
    np.testing.assert_array_equal(points.astype(np.float32), LANDMARKS)
    assert len(mtcnn_of().detect(SINGLE[kind](scene(3)))) == 2


@pytest.mark.parametrize("kind", SINGLE)
def test_one_picture_without_a_face(kind, mtcnn_of, scene):
    boxes, probabilities, points = mtcnn_of().detect(SINGLE[kind](scene(0)), landmarks=True)
    assert boxes is None
    assert points is None
    assert probabilities.dtype == object
    assert probabilities.tolist() == [None]


@pytest.mark.parametrize("kind", MANY)
def test_equal_counts_make_one_array_of_floats(kind, mtcnn_of, scene):
    boxes, probabilities, points = mtcnn_of().detect(MANY[kind]([scene(2), scene(2)]), landmarks=True)
    assert (boxes.shape, probabilities.shape, points.shape) == ((2, 2, 4), (2, 2), (2, 2, 5, 2))
    assert (boxes.dtype, type(boxes[1, 1, 3])) == (object, float)


@pytest.mark.parametrize("kind", MANY)
def test_other_counts_make_an_array_of_arrays(kind, mtcnn_of, scene):
    boxes, probabilities, points = mtcnn_of().detect(MANY[kind]([scene(0), scene(3), scene(1)]), landmarks=True)
    assert boxes.shape == probabilities.shape == points.shape == (3,)
    assert (boxes[0], probabilities[0], points[0]) == (None, [None], None)
    assert (boxes[1].dtype, boxes[1].shape, points[1].shape) == (np.float32, (3, 4), (3, 5, 2))
    np.testing.assert_array_equal(probabilities[2], PROBABILITIES[:1])


@pytest.mark.parametrize("kind", MANY)
def test_no_face_in_any(kind, mtcnn_of, scene):
    boxes, probabilities, points = mtcnn_of().detect(MANY[kind]([scene(0), scene(0)]), landmarks=True)
    assert boxes.tolist() == points.tolist() == [None, None]
    assert probabilities.tolist() == [[None], [None]]


def test_one_picture_in_a_list_stays_in_a_list(mtcnn_of, scene):
    boxes, probabilities = mtcnn_of().detect([scene(3)])
    assert (boxes.shape, probabilities.shape) == ((1, 3, 4), (1, 3))
    boxes, probabilities = mtcnn_of().detect(scene(3)[None])
    assert (boxes.shape, probabilities.shape) == ((1, 3, 4), (1, 3))


def test_an_empty_list(mtcnn_of):
    assert [array.shape for array in mtcnn_of().detect([], landmarks=True)] == [(0,)] * 3


def test_sizes_in_a_list_may_differ(mtcnn_of, scene, transport):
    mtcnn_of().detect([scene(1), np.ascontiguousarray(scene(2)[:50])])
    assert sorted(request.inputs["image"].shape[1] for request in transport.requests) == [50, 100]


def test_the_likeliest_first(mtcnn_of, scene):
    boxes, probabilities, points = mtcnn_of(select_largest=False).detect(scene(3), landmarks=True)
    np.testing.assert_array_equal(probabilities.astype(np.float32), PROBABILITIES[::-1])
    np.testing.assert_array_equal(boxes.astype(np.float32), BOXES[::-1])
    np.testing.assert_array_equal(points.astype(np.float32), LANDMARKS[::-1])


def test_parameters_reach_the_server_also_when_changed_later(mtcnn_of, scene, transport):
    mtcnn = mtcnn_of(min_face_size=60, thresholds=[0.5, 0.6, 0.8], factor=0.6)
    mtcnn.detect(scene(1))
    mtcnn.min_face_size = 80
    mtcnn.detect(scene(1))
    first, second = (request.parameters for request in transport.requests)
    assert first == {
        "min_face_size": 60.0,
        "threshold_pnet": 0.5,
        "threshold_rnet": 0.6,
        "threshold_onet": 0.8,
        "factor": 0.6,
    }
    assert second["min_face_size"] == 80.0


def test_an_opened_file_is_not_turned(mtcnn_of, scene, transport, encode, tmp_path):
    """Boxes must fit the object that the caller holds and cuts from."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    path.write_bytes(encode(scene(1), "PNG", exif=exif))
    mtcnn_of().detect(Image.open(path))
    np.testing.assert_array_equal(transport.requests[0].inputs["image"][0], scene(1))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_other_modes_of_pillow(mode, mtcnn_of, scene, transport):
    image = Image.fromarray(scene(1)).convert(mode)
    mtcnn_of().detect(image)
    np.testing.assert_array_equal(transport.requests[0].inputs["image"][0], np.asarray(image.convert("RGB")))


def test_what_is_no_picture(mtcnn_of):
    for image in ("photo.jpg", None, 7):
        with pytest.raises(InvalidInput, match="must be a Pillow image or an array"):
            mtcnn_of().detect(image)
    with pytest.raises(InvalidInput, match=r"values from 0 to 256; they must be grey levels"):
        mtcnn_of().detect(np.arange(257).reshape(1, 257))
    with pytest.raises(InvalidInput, match="must hold numbers"):
        mtcnn_of().detect(np.array([["a"]]))


def test_an_opened_file_that_is_cut_off(mtcnn_of, scene, encode):
    whole = encode(scene(1), "PNG")
    with pytest.raises(InvalidImage, match="image is damaged or truncated"):
        mtcnn_of().detect(Image.open(io.BytesIO(whole[: len(whole) // 2])))


def test_a_torch_module_that_only_answers(mtcnn_of, scene):
    mtcnn = mtcnn_of(device=torch.device("cpu")).eval().double().to("cpu")
    assert mtcnn.device == torch.device("cpu")
    assert len(mtcnn.detect(scene(3))[0]) == 3


def test_dropped_candidates_are_told(make_transport, make_answer, scene, recwarn):
    mtcnn = MTCNN(client=FaceClient(transport=make_transport(make_answer(1, candidates_dropped=5))))
    mtcnn.detect(scene(1))
    (warning,) = recwarn
    assert "dropped 5 candidates" in str(warning.message)
    assert warning.filename == __file__
