"""The flow, driven by the pretrained networks in this process and by fakes."""

import re

import numpy as np
import pytest

from face_cascade import ONET, PNET, RNET, DetectionParameters, InvalidInput, Limits, TooManyCandidates, detect, drive
from face_cascade.compiled.arrays import COMPILED_ARRAYS
from face_cascade.compiled.pnet import View
from face_cascade.numpy_arrays import NUMPY
from tests.cascade import plain_mtcnn
from tests.pictures import astronaut, mixed_sizes, reference, stand, wall

DEFAULTS = DetectionParameters()


def find(run, images, parameters=DEFAULTS, limits=None):
    return drive(detect(images, [parameters] * len(images), limits), run)


def assert_same(found, expected):
    assert len(found.boxes) == len(expected.boxes)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1e-2)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


@pytest.mark.parametrize("min_face_size", [20, 40])
@pytest.mark.parametrize(("name", "picture"), [("astronaut.png", astronaut), ("wall", wall)])
def test_faces_are_the_references(networks, name, picture, min_face_size):
    boxes, landmarks, probabilities = reference(name, min_face_size)
    (found,) = find(networks, [picture()], DetectionParameters(min_face_size=min_face_size))
    np.testing.assert_allclose(found.boxes, boxes, atol=0.002)
    np.testing.assert_allclose(found.landmarks, landmarks, atol=0.002)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5)


def test_batched_equals_single(networks):
    pictures = [*mixed_sizes(12), np.zeros((5, 5, 3), np.uint8), astronaut()]
    together = find(networks, pictures)
    assert sum(len(found.boxes) for found in together) > 3
    for picture, found in zip(pictures, together, strict=True):
        assert_same(found, find(networks, [picture])[0])


@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("arrays", [NUMPY, COMPILED_ARRAYS], ids=["drawn", "as views"])
def test_pieces_by_themselves_give_what_packed_tiles_give(compiled, arrays, workers):
    def run(call):
        if isinstance(call.batch, View):
            return compiled[PNET].likely(call.batch, call.least)
        return compiled[call.network](call.batch)

    pictures = [*mixed_sizes(6), np.zeros((5, 5, 3), np.uint8), wall(961, 541), astronaut()]
    parameters = [
        DetectionParameters(threshold_pnet=threshold) for threshold in (0.6, 0.5, 0.1, 0.6, 1, 0.7, 0.6, 0.6, 0.6)
    ]
    packed = drive(detect(pictures, parameters), run)
    pieces = drive(detect(pictures, parameters, Limits(parallel=workers, packed=False), arrays), run)
    assert sum(len(one.boxes) for one in pieces) > 10
    for one, other in zip(pieces, packed, strict=True):
        assert one.stage_counts == other.stage_counts
        # A cell's place among the four results of a filtered tile, and so its rounding, is another.
        for name in ("boxes", "probabilities", "landmarks"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=2e-4, rtol=1e-6, err_msg=name)


def test_each_image_has_its_own_parameters(networks):
    parameters = [DEFAULTS, DetectionParameters(max_faces=1), DetectionParameters(threshold_onet=1)]
    picture = wall(960, 540)
    counts = [len(f.boxes) for f in drive(detect([picture] * 3, parameters), networks)]
    assert counts[0] > 5
    assert counts[1:] == [1, 0]


def test_small_batches_change_nothing_and_are_kept(networks):
    limits = Limits(pnet=3, rnet=50, onet=7, pnet_pixels=2 * 256 * 256)

    def run(call):
        tiles = limits.pnet_tiles(*call.batch.shape[2:])
        assert len(call.batch) <= {PNET: tiles, RNET: 50, ONET: 7}[call.network]
        assert tiles <= 3
        return networks(call)

    picture = wall(960, 540)
    assert_same(find(run, [picture], limits=limits)[0], find(networks, [picture])[0])


def test_a_stage_that_leaves_nothing_ends_the_flow(networks):
    asked = []

    def run(call):
        asked.append(call.network)
        assert len(call.batch)
        return networks(call)

    assert find(run, []) == []
    tiny = [np.zeros((1, 1, 3), np.uint8), np.zeros((11, 4000, 3), np.uint8)]
    assert [len(f.boxes) for f in find(run, tiny)] == [0, 0]
    assert asked == []
    find(run, [np.full((60, 60, 3), 127, np.uint8)])
    assert set(asked) == {PNET}


def test_candidates_that_a_caller_does_without_are_counted_and_the_likeliest_stay(networks):
    (everything,) = find(networks, [wall(960, 540)])
    assert everything.candidates_dropped == 0
    (some,) = find(networks, [wall(960, 540)], DetectionParameters(max_candidates=20))
    assert some.candidates_dropped > 100
    assert 0 < len(some.boxes) <= len(everything.boxes)
    assert everything.stage_counts["pnet"] == some.stage_counts["pnet"] + some.candidates_dropped


@pytest.mark.slow
@pytest.mark.parametrize(("size", "heights", "min_face_size"), [((700, 500), (12, 30), 10), ((900, 500), (20, 60), 20)])
def test_a_crowd_loses_nobody(modules, networks, size, heights, min_face_size):
    """Hundreds of heads, a few pixels apart: as many as the algorithm finds in plain steps, and where it finds them."""
    parameters = DetectionParameters(min_face_size=min_face_size)
    picture = stand(*size, heights)
    boxes, probabilities, landmarks = plain_mtcnn.detect(modules, picture, parameters)
    (found,) = find(networks, [picture], parameters)
    assert len(found.boxes) == len(boxes) > 100
    same = matches(found.boxes, boxes)
    np.testing.assert_allclose(found.boxes, boxes[same], atol=0.01)
    np.testing.assert_allclose(found.landmarks, landmarks[same], atol=0.01)
    np.testing.assert_allclose(found.probabilities, probabilities[same], atol=1e-4)


def matches(boxes, others):
    """For each box the number of the nearest other, each of which is taken once."""
    nearest = np.abs(boxes[:, None] - others[None]).max(2).argmin(1)
    assert len(set(nearest.tolist())) == len(nearest)
    return nearest


def test_in_small_steps_the_answer_is_the_same(networks):
    steps = {"step_batches": 2, "step_pixels": 256 * 256, "pnet": 1, "rnet": 50, "onet": 7}
    picture = wall(960, 540)
    assert_same(find(networks, [picture], limits=Limits(**steps))[0], find(networks, [picture])[0])


@pytest.mark.parametrize("limit", ["max_cells", "max_candidates"])
def test_an_image_with_too_many_candidates_is_refused_alone(networks, limit):
    """Also while its cells come in over several steps."""
    limits = Limits(**{limit: 150}, pnet=1, step_pixels=256 * 256)
    pictures = [astronaut()[60:260, 120:320].copy(), wall(960, 540), np.zeros((50, 50, 3), np.uint8)]
    few, many, none = find(networks, pictures, limits=limits)
    assert isinstance(many, TooManyCandidates)
    assert re.fullmatch(
        r"image has [\d,]+ (places that may show|candidates for) a face, must have at most 150: "
        "set min_face_size or threshold_pnet higher",
        str(many),
    )
    assert_same(few, find(networks, pictures[:1])[0])
    assert (len(few.boxes), len(none.boxes)) == (1, 0)
    if limit == "max_candidates":
        (chosen,) = find(networks, pictures[1:2], DetectionParameters(max_candidates=60), limits)
        assert chosen.stage_counts["pnet"] == 60


def test_regressions_far_outside_lose_box_and_crop_together():
    """A network gone mad must not misalign boxes and crops."""

    def run(call):
        n = len(call.batch)
        if call.network is PNET:
            h, w = ((size - 1) // 2 - 4 for size in call.batch.shape[2:])
            regression = np.zeros((n, 4, h, w), np.float32)
            # The left half of every tile is sent out of the picture.
            regression[:, :, :, : w // 2] = 1e6
            return regression, np.ones((n, h, w), np.float32)
        if call.network is RNET:
            return np.zeros((n, 4), np.float32), np.ones((n, 1), np.float32)
        return np.zeros((n, 4), np.float32), np.full((n, 10), 0.5, np.float32), np.ones((n, 1), np.float32)

    (found,) = find(run, [astronaut()])
    assert len(found.boxes) == len(found.landmarks) == len(found.probabilities) > 0
    centers = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    np.testing.assert_allclose(found.landmarks.mean(axis=1), centers, atol=1)


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 3))],
)
def test_arrays_that_are_no_images(image):
    with pytest.raises(InvalidInput, match=r"^image is .* must be uint8 \[height, width, 3\]"):
        find(None, [image])
