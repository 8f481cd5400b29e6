"""The cascade on torch's device: here the processor, on which it gives the faces that the other engine gives."""

import numpy as np
import pytest
import torch

from face_cascade import RNET, Call, DetectionParameters, Limits, detect, drive
from face_cascade.crops import detection_crops
from face_cascade.networks import STAGES
from face_cascade.tiles import TILE_SHAPES, cell_count
from face_repository.layout import default_repository
from face_runtime.device import twins
from face_runtime.device.arrays import TorchArrays
from face_runtime.device.engine import on_device
from face_runtime.device.images import DeviceImage
from face_runtime.torchscript import TorchScriptNetwork
from tests.pictures import astronaut, mixed_sizes, reference, wall
from tests.runtime.interpreted import kernels
from tests.runtime.stand_in import MODELS, InferenceResponse, Tensor

FILES = {network: default_repository() / network.name / "1" / "model.pt" for network in STAGES}

DEFAULTS = DetectionParameters()


@pytest.fixture(scope="module")
def engine():
    return on_device("cpu", FILES, {}, "auto", False, 2, pytest.fail)


def find(engine, pictures, parameters=DEFAULTS, limits=None):
    flow = detect(pictures, [parameters] * len(pictures), limits or engine.limits, engine.arrays)
    with engine.guard():
        return drive(flow, engine.run, engine.map)


def assert_same(found, expected, pixels):
    assert len(found.boxes) == len(expected.boxes)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=pixels, rtol=0)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=pixels, rtol=0)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "picture", "min_face_size"),
    [
        ("astronaut.png", astronaut, 20),
        ("astronaut.png", astronaut, 40),
        pytest.param("wall", wall, 20, marks=pytest.mark.slow),
        pytest.param("wall", wall, 40, marks=pytest.mark.slow),
    ],
)
def test_faces_are_the_references(engine, name, picture, min_face_size):
    boxes, landmarks, probabilities = reference(name, min_face_size)
    (found,) = find(engine, [picture()], DetectionParameters(min_face_size=min_face_size))
    assert len(found.boxes) == len(boxes)
    np.testing.assert_allclose(found.boxes, boxes, atol=0.001, rtol=0)
    np.testing.assert_allclose(found.landmarks, landmarks, atol=0.001, rtol=0)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5, rtol=0)


def test_who_comes_with_it_does_not_change_an_answer(engine):
    # One without a level, so without a tile: it has no sums when the others are cut.
    pictures = [np.zeros((5, 5, 3), np.uint8), astronaut()[::2, ::2].copy(), *mixed_sizes(5)]
    together = find(engine, pictures)
    assert sum(len(found.boxes) for found in together) > 2
    for picture, found in zip(pictures, together, strict=True):
        (alone,) = find(engine, [picture])
        assert_same(found, alone, pixels=1e-3)


def test_small_batches_and_an_image_on_the_device_change_nothing(engine):
    picture = wall(480, 270)
    limits = Limits(pnet=3, rnet=20, onet=5, pnet_pixels=2 * 256 * 256)
    there = DeviceImage(torch.from_numpy(picture).permute(2, 0, 1))
    (expected,) = find(engine, [picture])
    assert len(expected.boxes) > 2
    assert_same(find(engine, [picture], limits=limits)[0], expected, pixels=1e-3)
    assert_same(find(engine, [there])[0], expected, pixels=0)
    # Turned on the device, as its strides allow.
    turned = DeviceImage(torch.rot90(there.pixels, -1, (1, 2)))
    (found,) = find(engine, [turned], DetectionParameters(rotations=True))
    assert found.angles.tolist() == [90] * len(expected.boxes)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(
        detection_crops(turned, found, DEFAULTS), detection_crops(picture, expected, DEFAULTS)
    )
    # 12 bytes a pixel go with the flow, not with the picture.
    assert there.sums is None
    np.testing.assert_array_equal(there[10:20, 30:50], picture[10:20, 30:50])
    assert there[10:20, 30:50].flags.c_contiguous


@pytest.mark.parametrize(
    "operations",
    [twins, pytest.param(kernels, marks=pytest.mark.slow)],
    ids=["twins", "kernels"],
)
def test_the_engine_of_the_processor_gives_the_same_to_the_bit(operations):
    """With the same networks, so that only what the engines do could differ. Odd sizes: all shapes of tiles."""
    networks = {network: TorchScriptNetwork(file, "cpu") for network, file in FILES.items()}
    face = astronaut()[60:225, 145:303]
    pictures = [np.ascontiguousarray(face[::3, ::3]), np.ascontiguousarray(face[::2, ::2])]
    pictures.append(np.ascontiguousarray(np.rot90(pictures[1])))
    plain = DetectionParameters()
    parameters = [DetectionParameters(min_face_size=30, threshold_pnet=0.8), plain, DetectionParameters(rotations=True)]
    arrays = TorchArrays(torch.device("cpu"), operations)
    theirs = drive(detect(pictures, parameters), lambda call: networks[call.network](call.batch))
    ours = drive(detect(pictures, parameters, None, arrays), lambda call: networks[call.network].run(call.batch))
    assert [len(found.boxes) for found in theirs] == [1, 1, 1]
    assert theirs[2].angles.tolist() == [270]
    for one, other in zip(ours, theirs, strict=True):
        assert one.stage_counts == other.stage_counts
        for name in ("boxes", "probabilities", "landmarks", "angles"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_nothing_to_look_at_asks_no_network(engine):
    def run(call):
        pytest.fail(f"{call.network.name} was asked")

    for pictures in ([], [np.zeros((1, 1, 3), np.uint8), np.zeros((11, 4000, 3), np.uint8)]):
        flow = engine.detect(pictures, [DEFAULTS] * len(pictures))
        assert [len(found.boxes) for found in drive(flow, run)] == [0] * len(pictures)


def test_outputs_are_rows_on_the_host():
    first, second = torch.arange(8.0).reshape(2, 4), torch.arange(20.0).reshape(2, 5, 2)
    rows = TorchArrays(torch.device("cpu")).rows([first, second])
    assert [row.shape for row in rows] == [(2, 4), (2, 10)]
    np.testing.assert_array_equal(rows[0], first)
    np.testing.assert_array_equal(rows[1], second.flatten(1))


def test_networks_that_are_models_are_asked_with_tensors():
    asked = []

    def answering(network):
        def answer(request):
            (batch,) = request.inputs()
            asked.append((network.name, request.model_version, batch.as_numpy().shape))
            return InferenceResponse([Tensor(name, np.ones((2, 1), np.float32)) for name in network.outputs])

        return answer

    MODELS.update({network.name: answering(network) for network in STAGES})
    engine = on_device("cpu", None, {"pnet": 3, "rnet": 4, "onet": 5}, "cpu", False, 1, pytest.fail)
    assert engine.limits == Limits(), "batches as the models take them"
    outputs = engine.run(Call(RNET, torch.zeros(2, 3, 24, 24)))
    assert [type(output) for output in outputs] == [torch.Tensor] * len(RNET.outputs)
    assert asked == [("rnet", 4, (2, 3, 24, 24))]


def test_networks_in_this_process_and_kernels_have_run_before_any_caller(monkeypatch):
    """In all shapes, for each of which triton may compile anew."""
    seen = {}

    def record(owner, name, number):
        whole = getattr(owner, name)

        def recorded(*arguments):
            given = arguments[number]
            seen.setdefault(name, set()).add(tuple(given.shape[2:]) if isinstance(given, torch.Tensor) else len(given))
            return whole(*arguments)

        monkeypatch.setattr(owner, name, recorded)

    record(TorchScriptNetwork, "run", 1)
    record(twins, "integral_images", 0)
    record(twins, "draw_tiles", 2)
    record(twins, "find_cells", 2)
    record(twins, "fetched", 0)
    record(twins, "cut_crops", 2)
    on_device("cpu", FILES, {}, "cpu", False, 1, pytest.fail)
    crops = {(24, 24), (48, 48)}
    assert seen == {
        "run": {*TILE_SHAPES, *crops},
        "integral_images": {1},
        "draw_tiles": {*TILE_SHAPES},
        "find_cells": {(cell_count(height), cell_count(width)) for height, width in TILE_SHAPES},
        "fetched": {1},
        "cut_crops": crops,
    }
