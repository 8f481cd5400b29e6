"""The seam between flow and engine: a second engine, in plain loops, gives the same faces to the bit."""

import numpy as np
import pytest

from face_cascade import ONET, PNET, RNET, DetectionParameters, Limits, detect, drive
from face_cascade.arrays import Cells
from face_cascade.compiled import COMPILED
from face_cascade.numpy_arrays import NUMPY
from face_export.readers import read_stage
from tests.pictures import astronaut


class Handle:
    """What the slow engine hands out: the flow can do nothing with it but hand it on."""

    __slots__ = ("_content",)

    def __init__(self, content):
        self._content = content

    def __len__(self):
        return len(self._content)


def content(handle):
    assert type(handle) is Handle, f"{type(handle).__name__} is no handle of this engine"
    return handle._content


def average(pixels, top, bottom, left, right):
    """Of UINT8 [H,W,3] over a window, FP32 [3]."""
    total = pixels[top:bottom, left:right].astype(np.int64).sum(axis=(0, 1))
    return total.astype(np.float32) / np.float32(bottom - top) / np.float32(right - left)


def start(n, size, out_size):
    return n * size // out_size


def end(n, size, out_size):
    return -(-(n + 1) * size // out_size)


class SlowArrays:
    """`arrays.Arrays` as its docstrings define it: an image is its pixels."""

    def image(self, pixels, turn=0):
        return Handle(np.rot90(pixels, turn).copy())

    def tiles(self, patches, count, height, width):
        tiles = np.zeros((count, 3, height, width), np.float32)
        for image, level, piece, tile in patches:
            pixels = content(image)
            for y in range(piece.height):
                for x in range(piece.width):
                    row, column = piece.level_top + y, piece.level_left + x
                    tiles[tile, :, piece.tile_top + y, piece.tile_left + x] = average(
                        pixels,
                        start(row, len(pixels), level.height),
                        end(row, len(pixels), level.height),
                        start(column, len(pixels[0]), level.width),
                        end(column, len(pixels[0]), level.width),
                    )
        return Handle(tiles)

    def cells(self, outputs, patches, thresholds):
        regression, probability = (content(output) for output in outputs)
        numbers, rows, columns, scores, moves = [], [], [], [], []
        for number, (patch, threshold) in enumerate(zip(patches, thresholds, strict=True)):
            piece = patch.piece
            for row in range((piece.height - 1) // 2 - 4):
                for column in range((piece.width - 1) // 2 - 4):
                    at = patch.tile, piece.tile_top // 2 + row, piece.tile_left // 2 + column
                    if probability[at] >= np.float32(threshold):
                        numbers.append(number)
                        rows.append(piece.level_top // 2 + row)
                        columns.append(piece.level_left // 2 + column)
                        scores.append(probability[at])
                        moves.append([regression[at[0], n, at[1], at[2]] for n in range(4)])
        # The last first: the order is the engine's.
        return Handle(
            Cells(
                np.array(numbers[::-1], np.intp),
                np.array(rows[::-1], np.intp),
                np.array(columns[::-1], np.intp),
                np.array(scores[::-1], np.float32),
                np.array(moves[::-1], np.float32).reshape(-1, 4),
            )
        )

    def gather(self, found):
        return [content(cells) for cells in found]

    def crops(self, windows, side):
        crops = []
        for image, of_image in windows:
            pixels = content(image)
            for x1, y1, x2, y2 in of_image.tolist():
                crop = np.empty((3, side, side), np.float32)
                for y in range(side):
                    for x in range(side):
                        top, bottom = (y1 + edge(y, y2 - y1, side) for edge in (start, end))
                        left, right = (x1 + edge(x, x2 - x1, side) for edge in (start, end))
                        crop[:, y, x] = average(pixels, top, bottom, left, right)
                crops.append(crop)
        return Handle(np.array(crops, np.float32))

    def rows(self, outputs):
        return tuple(content(output) for output in outputs)


@pytest.fixture(scope="module")
def networks():
    return {
        network: COMPILED[network]({n: t.numpy() for n, t in read_stage(network.name).tensors.items()})
        for network in (PNET, RNET, ONET)
    }


def faces(rows, columns, step=2):
    return np.ascontiguousarray(astronaut()[rows, columns][::step, ::step])


PICTURES = [
    faces(slice(40, 240), slice(140, 320)),
    faces(slice(0, 260), slice(100, 361)),
    np.zeros((9, 30, 3), np.uint8),
    faces(slice(60, 200), slice(150, 290), 1),
]
PARAMETERS = [
    DetectionParameters(),
    DetectionParameters(threshold_pnet=0.8, factor=0.6),
    DetectionParameters(),
    DetectionParameters(min_face_size=40, threshold_rnet=0.5),
]


def test_an_engine_in_plain_loops_gives_the_same_faces(networks):
    limits = Limits(pnet=3, rnet=20, onet=5)
    fast = drive(detect(PICTURES, PARAMETERS, limits), lambda call: networks[call.network](call.batch))
    slow = drive(
        detect(PICTURES, PARAMETERS, limits, SlowArrays()),
        lambda call: tuple(Handle(output) for output in networks[call.network](content(call.batch))),
    )
    assert [len(found.boxes) > 0 for found in fast] == [True, True, False, True]
    for one, other in zip(fast, slow, strict=True):
        assert one.stage_counts == other.stage_counts
        for name in ("boxes", "probabilities", "landmarks"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_no_engine_but_the_given_one_sees_the_pixels(networks, monkeypatch):
    """Lest the test above compares an engine with itself."""
    for operation in ("image", "tiles", "cells", "gather", "crops", "rows"):
        monkeypatch.setattr(type(NUMPY), operation, lambda *_: pytest.fail("the engine of NumPy was asked"))
    flow = detect(PICTURES[:1], PARAMETERS[:1], arrays=SlowArrays())
    (found,) = drive(flow, lambda call: tuple(Handle(output) for output in networks[call.network](content(call.batch))))
    assert len(found.boxes) == 1
