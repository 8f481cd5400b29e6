"""load_image, load_images_batch, plot: what the documented examples import."""

import numpy as np
import pytest
from PIL import Image

from face_client import InvalidImage
from face_client.drop_in import InvalidValue, NotHere
from face_client.mtcnn import exceptions
from face_client.mtcnn.utils.images import load_image, load_images_batch
from face_client.mtcnn.utils.plotting import parse_color, plot, plot_all, plot_bbox, plot_landmarks

FACE = {"box": [10, 5, 20, 15], "confidence": 0.9, "keypoints": {"nose": [20, 12], "left_eye": [15, 9]}}


def test_load_image(picture, encode, tmp_path):
    data = encode(picture, "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for image in (data, path, str(path), f"file://{path}"):
        loaded = load_image(image)
        assert loaded.dtype == np.float32
        np.testing.assert_array_equal(loaded, picture)
    assert load_image(str(path), dtype=np.uint8, device="CPU:0").dtype == np.uint8
    assert load_image(picture) is picture
    exif = Image.Exif()
    exif[0x0112] = 3
    np.testing.assert_array_equal(load_image(encode(picture, "PNG", exif=exif)), picture[::-1, ::-1])
    assert [len(one) for one in load_images_batch([path, picture])] == [30, 30]
    with pytest.raises(InvalidImage):
        load_image(b"not an image")
    with pytest.raises(FileNotFoundError):
        load_image("nowhere.png")


def yellow(image):
    """(x, y) of the drawn pixels."""
    rows, columns = np.nonzero((image == [255, 255, 0]).all(axis=2))
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


def test_plot(picture):
    drawn = plot(picture.astype(np.float32), FACE)
    assert (drawn.dtype, drawn.shape) == (np.uint8, picture.shape)
    outline = {(x, y) for x in range(10, 31) for y in range(5, 21) if x in (10, 30) or y in (5, 20)}
    dots = {(x + i, y + j) for x, y in [(20, 12), (15, 9)] for i in range(-2, 3) for j in range(-2, 3)}
    assert yellow(drawn) == outline | dots
    assert not yellow(picture)
    np.testing.assert_array_equal(plot(picture, [FACE]), drawn)
    corners = {**FACE, "box": [10, 5, 30, 20]}
    np.testing.assert_array_equal(plot(picture, corners, input_as_width_height=False), drawn)


def test_plot_of_rows_and_of_nothing(picture):
    row = np.array([0, 10, 5, 20, 15, 0.9, 15, 15, 20, 20, 20, 9, 9, 12, 12, 12])
    np.testing.assert_array_equal(plot(picture, row), plot(picture, [FACE]))
    np.testing.assert_array_equal(plot(picture, row[None]), plot(picture, [FACE]))
    np.testing.assert_array_equal(plot(picture, row[:6]), plot(picture, {"box": FACE["box"]}))
    assert plot(picture, []) is None


def test_plot_beyond_the_border(picture):
    beyond = {"box": [-5, -5, 100, 100], "keypoints": {"nose": [-1, 29]}}
    assert (0, 27) in yellow(plot(picture, beyond))


def test_plot_all_gives_the_picture_back(picture):
    np.testing.assert_array_equal(plot_all(picture, []), picture)
    np.testing.assert_array_equal(plot_all(picture, [FACE, FACE]), plot(picture, FACE))


def test_boxes_and_points_alone_and_in_colours(picture):
    red = plot_bbox(picture, FACE, color="#F00")
    assert red[5, 10].tolist() == [255, 0, 0]
    assert plot_landmarks(picture, FACE, color=(0, 1, 0), keypoints="nose", brush_size=0)[12, 20].tolist() == [
        0,
        255,
        0,
    ]
    np.testing.assert_array_equal(plot_landmarks(picture, np.zeros(6)), picture)
    with pytest.raises(NotHere, match="normalize_color"):
        plot_bbox(picture, FACE, normalize_color=True)


@pytest.mark.parametrize("color", ["#FF8000", "0xFF8000", "FF8000", "ff8000"])
def test_colours(color):
    np.testing.assert_allclose(parse_color(color), [1, 128 / 255, 0])
    np.testing.assert_allclose(parse_color("#F00"), [1, 0, 0])
    assert parse_color((1, 0, 0)) == (1, 0, 0)
    for wrong in ("red", "#FF", "#GGGGGG"):
        with pytest.raises(InvalidValue, match=r"^color is "):
            parse_color(wrong)


def test_the_old_exception_has_its_place():
    assert exceptions.InvalidImage is InvalidImage
