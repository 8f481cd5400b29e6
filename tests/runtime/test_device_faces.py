"""Crops of faces that torch cuts: those that Pillow cuts on the host."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from face_cascade import Detection, DetectionParameters
from face_runtime.device import faces
from face_runtime.device.faces import DeviceCrops, resized
from face_runtime.device.images import DeviceImage
from face_runtime.engine import stacked_crops

CPU = torch.device("cpu")


def by_pillow(pixels, side):
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def by_torch(pixels, side):
    return resized(torch.from_numpy(pixels).permute(2, 0, 1), side).permute(1, 2, 0).numpy()


def test_resized_as_pillow_does_it():
    random = np.random.RandomState(0)
    shapes = [(1, 1), (1, 500), (160, 160), (3, 4), (900, 901), *random.randint(1, 500, (60, 2)).tolist()]
    for number, (height, width) in enumerate(shapes):
        side = (160, 1, 24, 300)[number % 4]
        pixels = random.randint(0, 256, (height, width, 3), dtype=np.uint8)
        if number % 7 == 0:
            pixels[:] = 255
        found, wanted = by_torch(pixels, side), by_pillow(pixels, side)
        if height <= max(width, side):
            np.testing.assert_array_equal(found, wanted, err_msg=f"{height}x{width} to {side}")
        else:
            # Here newer versions of Pillow may take the other direction first, and round after it.
            assert abs(found.astype(int) - wanted).max() <= 1


def test_a_large_face_is_taken_in_parts(monkeypatch):
    pixels = np.random.RandomState(1).randint(0, 256, (90, 130, 3), np.uint8)
    whole = by_torch(pixels, 32)
    monkeypatch.setattr(faces, "_MOST_VALUES", 4000)
    np.testing.assert_array_equal(by_torch(pixels, 32), whole)


def pictures_and_faces():
    """Three pictures with 3, 0 and 1 faces, wider than high, some beyond the border or turned."""
    random = np.random.RandomState(2)
    pictures = [
        random.randint(0, 256, (height, width, 3), np.uint8) for height, width in ((90, 140), (30, 30), (60, 50))
    ]
    boxes = [[[10.3, 20.7, 60.2, 50.1], [-9, -5, 30, 22], [100, 60, 190, 99.5]], [], [[5, 5, 44, 30]]]
    angles = [[0, 180, 0], [], [180]]
    detections = [
        Detection(
            np.array(of_one, np.float32).reshape(-1, 4),
            np.ones(len(of_one), np.float32),
            random.uniform(5, 40, (len(of_one), 5, 2)).astype(np.float32),
            np.array(turns, np.int32),
        )
        for of_one, turns in zip(boxes, angles, strict=True)
    ]
    return pictures, detections


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("stay", [False, True])
def test_the_crops_of_a_batch(align, stay):
    pictures, detections = pictures_and_faces()
    parameters = DetectionParameters(margin=20, align=align)
    there = [DeviceImage.uploaded(picture, CPU) for picture in pictures]
    wanted = stacked_crops(pictures, detections, parameters, 48)
    assert wanted.shape == (3, 3, 48, 48, 3)
    # Raw pixels stay on the host; some of a batch may.
    for images in (there, [pictures[0], *there[1:]], pictures):
        found = DeviceCrops(CPU, stay)(images, detections, parameters, 48)
        assert isinstance(found, torch.Tensor) == (stay and images is not pictures)
        np.testing.assert_array_equal(np.asarray(found), wanted)


def test_a_turned_face_is_set_upright():
    pictures, detections = pictures_and_faces()
    turned = replace(detections[0], angles=np.array([90, 270, 90], np.int32))
    there = [DeviceImage.uploaded(pictures[0], CPU)]
    found = DeviceCrops(CPU, stay=False)(there, [turned], DetectionParameters(), 160)
    wanted = stacked_crops(pictures[:1], [turned], DetectionParameters(), 160)
    assert abs(found.astype(int) - wanted).max() <= 1


def test_of_no_faces_there_is_nothing_on_the_device():
    pictures, detections = pictures_and_faces()
    there = [DeviceImage.uploaded(pictures[1], CPU)]
    found = DeviceCrops(CPU, stay=True)(there, [detections[1]], DetectionParameters(), 160)
    assert isinstance(found, np.ndarray)
    assert found.shape == (1, 0, 160, 160, 3)
