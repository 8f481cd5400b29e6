"""extract_face() against slow and obvious crops of each kind of picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from face_client import InvalidInput
from face_client.facenet_pytorch import extract_face
from face_client.facenet_pytorch.models.utils.detect_face import crop_resize, get_size, imresample
from tests.pictures import DATA, astronaut, reference

PICTURE = np.random.RandomState(3).randint(0, 256, (90, 120, 3)).astype(np.uint8)


def averages(pixels, size):
    """Means of equal whole blocks, as floats."""
    height, width = pixels.shape[:2]
    return pixels.reshape(size, height // size, size, width // size, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("crops", np.load(DATA / "astronaut_crops.npz").files)
def test_crops_are_facenet_pytorchs_to_the_byte(crops):
    margin, image_size = (int(part) for part in crops.replace("margin", "").replace("size", "").strip("_").split("_"))
    expected = np.load(DATA / "astronaut_crops.npz")[crops]
    boxes, _, _ = reference("astronaut.png", 20)
    for box, face in zip(boxes, expected, strict=True):
        cut = extract_face(Image.fromarray(astronaut()), box, image_size, margin)
        np.testing.assert_array_equal(cut.numpy(), face.transpose(2, 0, 1))


def test_the_window_is_whole_pixels_inside_the_picture():
    box = [10.9, 20.9, 50.9, 40.1]
    expected = PICTURE[20:40, 10:50]
    for picture in (Image.fromarray(PICTURE), PICTURE, torch.as_tensor(PICTURE)):
        torch.testing.assert_close(
            extract_face(picture, box, 10), extract_face(type_of(picture, expected), [0, 0, 40, 20], 10)
        )
    beyond = extract_face(Image.fromarray(PICTURE), [-30.0, -5.0, 500.0, 500.0], 30)
    torch.testing.assert_close(beyond, extract_face(Image.fromarray(PICTURE), [0, 0, 120, 90], 30))


def type_of(picture, pixels):
    if isinstance(picture, Image.Image):
        return Image.fromarray(pixels)
    return torch.as_tensor(pixels) if isinstance(picture, torch.Tensor) else pixels


def test_margin_counts_pixels_of_the_result():
    """A margin of 20 in 60: the box fills 40, so half as much again is added."""
    with_margin = extract_face(Image.fromarray(PICTURE), [40, 30, 60, 50], image_size=60, margin=20)
    without = extract_face(Image.fromarray(PICTURE), [35, 25, 65, 55], image_size=60)
    torch.testing.assert_close(with_margin, without)


def test_arrays_and_tensors_are_averaged():
    box, mean = [0, 0, 120, 90], averages(PICTURE, 30)
    array = extract_face(PICTURE, box, 30)
    np.testing.assert_allclose(array.numpy().transpose(1, 2, 0), mean, atol=0.5)
    tensor = extract_face(torch.as_tensor(PICTURE), box, 30)
    # To whole levels by truncation, as facenet-pytorch.
    np.testing.assert_array_equal(tensor.numpy().transpose(1, 2, 0), np.floor(mean + 1e-4))


def test_a_face_is_float_levels_with_planes_first():
    face = extract_face(Image.fromarray(PICTURE), np.array([0, 0, 120, 90], np.float32), image_size=60)
    assert (face.dtype, face.shape) == (torch.float32, (3, 60, 60))
    assert face.is_contiguous()
    gray = extract_face(Image.fromarray(PICTURE).convert("L"), [0, 0, 120, 90], image_size=60)
    assert gray.shape == (1, 60, 60)


@pytest.mark.parametrize("box", [[-50, -50, -10, -10], [130, 95, 160, 120], [30, 30, 30, 30]])
def test_a_box_without_pixels_gives_the_nearest(box):
    for picture in (Image.fromarray(PICTURE), PICTURE, torch.as_tensor(PICTURE)):
        face = extract_face(picture, box, 16).numpy()
        x, y = min(max(box[0], 0), 119), min(max(box[1], 0), 89)
        np.testing.assert_array_equal(face, np.broadcast_to(PICTURE[y, x][:, None, None], (3, 16, 16)))


def test_helpers_of_the_same_module():
    for picture in (Image.fromarray(PICTURE), PICTURE, torch.as_tensor(PICTURE)):
        assert get_size(picture) == (120, 90)
        crop = crop_resize(picture, (10, 20, 70, 80), 30)
        assert get_size(crop) == (30, 30)
        assert type(crop) in (Image.Image, np.ndarray, torch.Tensor)


def test_unknown_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown file extension"):
        extract_face(Image.fromarray(PICTURE), [0, 0, 50, 50], save_path=tmp_path / "face.abc")


def test_tensors_are_averaged_as_torch_does_it():
    random = np.random.default_rng(0)
    for _ in range(60):
        height, width, side = random.integers(1, 300, 3)
        tensor = torch.from_numpy(random.integers(0, 256, (height, width, 3), np.uint8))
        planes = imresample(tensor.permute(2, 0, 1)[None].float(), (side, side))
        expected = planes[0].permute(1, 2, 0).to(torch.uint8)
        assert torch.equal(crop_resize(tensor, (0, 0, width, height), int(side)), expected)


@pytest.mark.parametrize("picture", ["face.png", None, np.zeros((0, 4, 3), np.uint8), np.zeros((3, 90, 120), np.uint8)])
def test_what_is_no_picture(picture):
    with pytest.raises(InvalidInput, match=r"^img "):
        extract_face(picture, [0, 0, 9, 9])
