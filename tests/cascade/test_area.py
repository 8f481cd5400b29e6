"""Area resize against plain averages, and against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from face_cascade.area import area_crops, area_resize, area_windows, integral_image
from face_cascade.averages import LANES
from tests.memory import little_memory


def slow_resize(image, out_height, out_width):
    """Averages window by window, in float64."""
    height, width = image.shape[:2]
    out = np.empty((3, out_height, out_width))
    for i in range(out_height):
        for j in range(out_width):
            top, bottom = i * height // out_height, -(-(i + 1) * height // out_height)
            left, right = j * width // out_width, -(-(j + 1) * width // out_width)
            out[:, i, j] = image[top:bottom, left:right].astype(np.float64).mean(axis=(0, 1))
    return out


def fast_resize(image, out_height, out_width):
    out = np.full((3, out_height, out_width), np.nan, np.float32)
    y0, y1 = area_windows(image.shape[0], out_height)
    x0, x1 = area_windows(image.shape[1], out_width)
    area_resize(integral_image(image), y0, y1, x0, x1, out)
    return out


sizes = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, sizes, sizes, st.integers(0, 2**32 - 1))
def test_resize_is_the_plain_average(height, width, out_height, out_width, seed):
    image = np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8)
    expected = slow_resize(image, out_height, out_width)
    np.testing.assert_allclose(fast_resize(image, out_height, out_width), expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize(("shape", "out"), [((97, 133), (59, 80)), ((64, 64), (24, 24)), ((7, 9), (24, 24))])
def test_resize_equals_torch_area_interpolation(shape, out):
    image = np.random.RandomState(3).randint(0, 256, (*shape, 3), np.uint8)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(tensor, size=out, mode="area")[0].numpy()
    np.testing.assert_allclose(fast_resize(image, *out), expected, rtol=2e-7)


def test_sums_that_pass_32_bits_stay_exact():
    image = np.full((3000, 6000, 3), 255, np.uint8)
    assert image[..., 0].sum(dtype=np.int64) > 2**32
    assert (fast_resize(image, 30, 60) == 255).all()


def test_no_room_for_the_sums_is_a_memory_error():
    image = np.zeros((4000, 6000, 3), np.uint8)
    with little_memory(100 * 2**20), pytest.raises(MemoryError):
        integral_image(image)


@pytest.mark.parametrize("width", [LANES, LANES + 1, 2 * LANES - 1, 3 * LANES, 61])
def test_whole_vectors_have_the_bits_of_single_averages(width):
    image = np.random.RandomState(width).randint(0, 256, (50, 83, 3), np.uint8)
    sums = integral_image(image)
    (y0, y1), (x0, x1) = area_windows(50, 19), area_windows(83, width)
    out = np.full((3, 21, width + 4), np.nan, np.float32)
    area_resize(sums, y0, y1, x0, x1, out[:, 1:-1, 2:-2])
    corners = [sums[np.ix_(y, x)].astype(np.int64) for y in (y1, y0) for x in (x1, x0)]
    totals = (corners[0] - corners[1] - corners[2] + corners[3]).astype(np.float32)
    by_height = totals / (y1 - y0).astype(np.float32)[:, None, None]
    expected = (by_height / (x1 - x0).astype(np.float32)[None, :, None]).transpose(2, 0, 1)
    np.testing.assert_array_equal(out[:, 1:-1, 2:-2], expected)
    out[:, 1:-1, 2:-2] = np.nan
    assert np.isnan(out).all(), "written beside the target"


def test_crops_equal_resizing_each_window():
    image = np.random.RandomState(5).randint(0, 256, (60, 80, 3), np.uint8)
    windows = np.array([[0, 0, 80, 60], [3, 5, 4, 6], [10, 20, 33, 60], [79, 59, 80, 60]], np.int32)
    crops = np.empty((len(windows), 3, 24, 24), np.float32)
    area_crops(integral_image(image), windows, crops)
    for crop, (left, top, right, bottom) in zip(crops, windows, strict=True):
        np.testing.assert_array_equal(crop, fast_resize(image[top:bottom, left:right], 24, 24))


def test_only_what_the_windows_ask_for_is_written():
    out = np.full((3, 3, 24, 24), np.nan, np.float32)
    sums = integral_image(np.full((4, 4, 3), 7, np.uint8))
    area_crops(sums, np.empty((0, 4), np.int32), out[:0])
    assert np.isnan(out).all()
    area_crops(sums, np.array([[0, 0, 4, 4]], np.int32), out[1:2])
    assert (out[1] == 7).all()
    assert np.isnan(out[[0, 2]]).all()
