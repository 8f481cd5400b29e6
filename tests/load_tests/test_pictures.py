"""The pictures: JPEG and pixels belong together. That the wall is the reference's, its known faces show elsewhere."""

import numpy as np
import pytest
from PIL import Image

from face_bench import BenchError
from face_bench.pictures import (
    CROWD_SIZES,
    PAGE_SIZE,
    PORTRAIT_SIZE,
    WALL_4K_SIZE,
    WALL_SIZES,
    crowds,
    more_pictures,
    odd_crops,
    page,
    photos,
    walls,
)
from face_client import decode_image


@pytest.fixture(scope="module")
def pictures():
    return walls()


def test_the_walls_have_their_sizes_and_files(pictures):
    assert [(p.width, p.height) for p in pictures] == list(WALL_SIZES)
    for picture in pictures:
        assert picture.pixels.shape == (picture.height, picture.width, 3)
        np.testing.assert_array_equal(picture.decoded, decode_image(picture.jpeg))


def test_the_smallest_crowd_comes_first():
    assert [(crowd.width, crowd.height) for crowd in crowds(2)] == list(CROWD_SIZES[:2])
    assert crowds(0) == []


@pytest.mark.slow
def test_more_pictures_are_named_by_what_they_are_and_their_size():
    more = {picture.name: (picture.width, picture.height) for picture in more_pictures()}
    assert list(more) == ["portrait 1280x1280", "page 1240x1754", "wall 3840x2160"]
    assert list(more.values()) == [PORTRAIT_SIZE, PAGE_SIZE, WALL_4K_SIZE]


def test_a_page_is_lines_on_white_and_repeats():
    sheet = page(620, 877)
    np.testing.assert_array_equal(sheet, page(620, 877))
    dark = (sheet < 128).all(axis=2)
    assert 0.05 < dark.mean() < 0.4
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    assert rows.min() > 50, "the margins are white"
    assert columns.min() >= 61
    assert columns.max() <= 559
    assert len(np.flatnonzero(np.diff(rows) > 1)) >= 30, "there is white between lines"


def test_odd_crops_differ_in_size_and_repeat(pictures):
    crops = list(odd_crops(pictures, 10))
    assert len({crop.pixels.shape for crop in crops}) == 10
    for crop, again in zip(crops, odd_crops(pictures, 10), strict=True):
        np.testing.assert_array_equal(crop.pixels, again.pixels)


def test_a_photo_that_is_a_jpeg_is_sent_as_it_is(pictures, tmp_path):
    (tmp_path / "b.jpg").write_bytes(pictures[2].jpeg)
    Image.fromarray(pictures[2].pixels).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no photo")
    png, jpeg = photos(tmp_path)
    assert jpeg.jpeg == pictures[2].jpeg
    np.testing.assert_array_equal(jpeg.pixels, jpeg.decoded)
    np.testing.assert_array_equal(png.pixels, pictures[2].pixels)
    np.testing.assert_array_equal(png.decoded, decode_image(png.jpeg))


def test_folders_that_give_no_photos_are_refused(tmp_path):
    with pytest.raises(BenchError, match="is not a folder"):
        photos(tmp_path / "none")
    with pytest.raises(BenchError, match="has 0 photos"):
        photos(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"broken\.jpg"):
        photos(tmp_path)
