"""Requests of `mtcnn`: what is read, what is refused, what is answered."""

import base64
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from face_cascade import Detection, Limits
from face_cascade.crops import detection_crops
from face_pictures.errors import InvalidImage, TooManyPixels, picture_error
from face_runtime import engine
from face_runtime.engine import Engine, InThreads, stacked_crops
from face_runtime.requests import ImageRequest
from tests.memory import little_memory
from tests.runtime.stand_in import InferenceRequest, Tensor, TritonError

BLANK = np.zeros((1, 30, 40, 3), np.uint8)

# Answers are made of what it holds; no network is asked.
ENGINE = Engine(lambda _: pytest.fail("asked"), map, Limits(), InThreads(map))


def png(height=30, width=40):
    file = io.BytesIO()
    Image.fromarray(np.random.RandomState(0).randint(0, 256, (height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def raw(array):
    return Tensor("image", array)


def encoded(*files):
    return Tensor("encoded_image", np.array([[file] for file in files], np.object_))


def read(*inputs, max_pixels=1_000_000, decoder=None, **given):
    decoder = decoder or InThreads(map)
    request = ImageRequest(InferenceRequest(inputs=inputs, **given))
    request.read(max_pixels, decoder)
    if request.is_open:
        request.decoded(decoder.finish(request.images))
    return request


def test_pictures_in_either_form():
    pair = np.arange(2 * 5 * 7 * 3, dtype=np.uint8).reshape(2, 5, 7, 3)
    request = read(raw(pair), parameters={"min_face_size": 33, "align": "true"})
    assert request.is_open
    np.testing.assert_array_equal(request.images, pair)
    assert request.pixels == 70
    assert (request.parameters.min_face_size, request.parameters.align) == (33, True)
    request = read(encoded(png(), png(20, 10)))
    assert [image.shape for image in request.images] == [(30, 40, 3), (20, 10, 3)]
    assert request.pixels == 1400


def test_a_file_as_base64():
    """JSON alone cannot carry bytes."""
    text = base64.b64encode(png())
    in_lines = base64.encodebytes(png())
    (expected,) = read(encoded(png())).images
    for data in (text, in_lines, in_lines.replace(b"\n", b"\r\n"), b"data:image/png;base64," + text):
        request = read(encoded(data))
        np.testing.assert_array_equal(request.images, [expected])
    for data in (text[:-1], text + b"!", base64.b64encode(text), base64.b64encode(bytes(99)), b"data:image/png,"):
        sentence = str(read(encoded(data)).refusal)
        assert f"encoded_image is not a picture in a known format ({len(data)} bytes)" in sentence
    assert read(encoded(base64.b64encode(png())), max_pixels=1199).refusal.reason == "too_large"


@pytest.mark.parametrize(
    ("inputs", "given", "reason", "sentence"),
    [
        ((), {}, "input", "inputs given are neither of image and encoded_image"),
        ((raw(BLANK), encoded(b"x")), {}, "input", "inputs given are both of image and encoded_image"),
        ((raw(BLANK[:, :0]),), {}, "image", "image has shape [1, 0, 40, 3], must hold at least one pixel"),
        ((encoded(b"junk"),), {}, "image", "encoded_image is not a picture"),
        ((encoded(png()[:-40]),), {}, "image", "encoded_image is damaged"),
        ((raw(BLANK),), {"max_pixels": 1199}, "too_large", "image has 40x30 pixels, must have at most 1,199 in all"),
        ((raw(np.tile(BLANK, (2, 1, 1, 1))),), {"max_pixels": 2399}, "too_large", "image has 2 times 40x30 pixels"),
        ((encoded(png()),), {"max_pixels": 1199}, "too_large", "encoded_image has 40x30 = 1200 pixels"),
        (
            (encoded(png(), png()),),
            {"max_pixels": 2399},
            "too_large",
            "encoded_image has more than 2399 pixels",
        ),
        ((raw(BLANK),), {"parameters": {"factor": 7}}, "parameter", "factor is 7, must be from 0.1 to 0.9"),
        ((raw(BLANK),), {"parameters": {"foo": 1}}, "parameter", "parameter 'foo' is unknown"),
    ],
)
def test_what_the_caller_did_wrong(inputs, given, reason, sentence):
    request = read(*inputs, **given)
    assert request.refusal.reason == reason
    assert request.refusal.code == TritonError.INVALID_ARG
    assert str(request.refusal).startswith(sentence)
    # A client knows it by its words.
    assert isinstance(picture_error(str(request.refusal)), TooManyPixels) == (reason == "too_large")


class InTwoSteps:
    """Knows shapes when a picture is opened, and pixels when all are there."""

    def open(self, data, max_pixels):
        image = InThreads(map).open(data, max_pixels)
        return SimpleNamespace(shape=image.shape, image=image)

    def finish(self, opened):
        return [InvalidImage("encoded_image is damaged") if one.image[0, 0, 0] == 0 else one.image for one in opened]


def flat(value):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_pictures_are_counted_when_opened_and_refused_when_decoded():
    opened = ImageRequest(InferenceRequest(inputs=[encoded(flat(1), flat(2))]))
    opened.read(2400, InTwoSteps())
    assert opened.pixels == 2400
    assert opened.is_open
    good = read(encoded(flat(1), flat(2)), max_pixels=2400, decoder=InTwoSteps())
    assert [image[0, 0, 0] for image in good.images] == [1, 2]
    bad = read(encoded(flat(1), flat(0)), decoder=InTwoSteps())
    assert (bad.refusal.reason, bad.refusal.code) == ("image", TritonError.INVALID_ARG)
    assert str(bad.refusal) == "encoded_image is damaged"
    large = read(encoded(flat(1), flat(2)), max_pixels=2399, decoder=InTwoSteps())
    assert large.refusal.reason == "too_large"


def test_a_caller_who_is_gone_costs_no_decoding(monkeypatch):
    monkeypatch.setattr(engine, "decode_image", lambda *_: pytest.fail("decoded"))
    assert read(encoded(png()), gone=lambda: True).refusal.reason == "cancelled"


def assert_unavailable(request):
    assert (request.refusal.reason, request.refusal.code) == ("memory", TritonError.UNAVAILABLE)
    assert "too little memory" in str(request.refusal)


@pytest.mark.slow
def test_too_little_memory_to_decode_is_the_servers_fault():
    # So large that what a long-lived process has free does not suffice.
    file = png(7000, 7000)
    with little_memory(20 * 2**20):
        assert_unavailable(read(encoded(file), max_pixels=50_000_000))


def test_too_little_memory_for_raw_pixels_is_the_servers_fault():
    """Pixels that Triton hands over in one piece are not copied."""
    turned = np.zeros((1, 6000, 5000, 3), np.uint8).swapaxes(1, 2)
    with little_memory(20 * 2**20):
        assert_unavailable(read(raw(turned), max_pixels=50_000_000))


def detection(count, seed=0, dropped=0):
    random = np.random.RandomState(seed)
    boxes = np.sort(random.uniform(0, 30, (count, 2, 2)), axis=1).reshape(count, 4).astype(np.float32)
    return Detection(
        boxes,
        random.uniform(size=count).astype(np.float32),
        random.uniform(0, 30, (count, 5, 2)).astype(np.float32),
        np.full(count, 90, np.int32),
        dropped,
    )


def answered(request, detections):
    request.answer(detections, ENGINE)
    return outputs_of(request)


def outputs_of(request):
    assert request.refusal is None, request.refusal
    return {tensor.name(): tensor.as_numpy() for tensor in request.response().output_tensors()}


EVERYTHING = (
    "boxes",
    "probabilities",
    "landmarks",
    "angles",
    "faces",
    "facenet_crops",
    "num_faces",
    "num_crops",
    "picture_size",
    "candidates_dropped",
)


def test_an_answer_has_a_row_for_each_image():
    pictures = np.random.RandomState(1).randint(0, 256, (3, 30, 40, 3), np.uint8)
    request = read(raw(pictures), parameters={"image_size": 24}, requested_output_names=EVERYTHING)
    found = [detection(2), detection(0), detection(3, 1, dropped=7)]
    outputs = answered(request, found)
    assert set(outputs) == set(EVERYTHING)
    shapes = {name: list(array.shape) for name, array in outputs.items()}
    assert shapes == {
        "boxes": [3, 3, 4],
        "probabilities": [3, 3],
        "landmarks": [3, 3, 5, 2],
        "angles": [3, 3],
        "faces": [3, 3, 24, 24, 3],
        "facenet_crops": [3, 3, 160, 160, 3],
        "num_faces": [3, 1],
        "num_crops": [3, 1],
        "picture_size": [3, 2],
        "candidates_dropped": [3, 1],
    }
    for n, one in enumerate(found):
        count = len(one.boxes)
        np.testing.assert_array_equal(outputs["boxes"][n, :count], one.boxes)
        assert not outputs["boxes"][n, count:].any()
        cut = detection_crops(pictures[n], one, request.parameters, 24)
        np.testing.assert_array_equal(outputs["faces"][n, :count], cut)
    assert outputs["num_faces"].ravel().tolist() == outputs["num_crops"].ravel().tolist() == [2, 0, 3]
    assert outputs["angles"].tolist() == [[90, 90, 0], [0, 0, 0], [90, 90, 90]]
    assert outputs["picture_size"].tolist() == [[40, 30]] * 3
    assert outputs["candidates_dropped"].ravel().tolist() == [0, 0, 7]


def test_boxes_are_cut_at_the_border_where_that_is_asked_for_and_nothing_else_is():
    """Crops are of the face that was found: its margin grows with its size."""
    found = replace(detection(2), boxes=np.array([[-3.5, 2, 12, 40.25], [28, -90, 70, -80]], np.float32))
    names = ["boxes", "landmarks", "faces"]
    plain, cut = (
        answered(read(raw(BLANK), parameters=parameters, requested_output_names=names), [found])
        for parameters in ({"margin": 10}, {"margin": 10, "clip": True})
    )
    height, width = BLANK.shape[1:3]
    np.testing.assert_array_equal(plain["boxes"][0], found.boxes)
    np.testing.assert_array_equal(cut["boxes"][0], [[0, 2, 12, height], [28, 0, width, 0]])
    for name in ("landmarks", "faces"):
        np.testing.assert_array_equal(cut[name], plain[name])


def test_nothing_is_cut_that_nobody_asked_for():
    request = read(raw(BLANK), requested_output_names=["num_faces", "boxes"])
    request.answer([detection(1)], replace(ENGINE, crops=lambda *_: pytest.fail("cut")))
    assert outputs_of(request).keys() == {"num_faces", "boxes"}


def test_crops_of_one_size_are_cut_once():
    cut = []
    engine = replace(ENGINE, crops=lambda *given: cut.append(given[-1]) or stacked_crops(*given))
    request = read(raw(BLANK), requested_output_names=["faces", "facenet_crops"])
    request.answer([detection(1)], engine)
    assert len(outputs_of(request)) == 2
    assert cut == [160]


def test_crops_that_lie_elsewhere_are_handed_over_as_they_are():
    engine = replace(ENGINE, crops=lambda *given: torch.from_numpy(stacked_crops(*given)))
    requests = [read(raw(BLANK), requested_output_names=["facenet_crops", "boxes"]) for _ in range(2)]
    for request, of in zip(requests, (engine, ENGINE), strict=True):
        request.answer([detection(2)], of)
    for name, array in outputs_of(requests[0]).items():
        np.testing.assert_array_equal(array, outputs_of(requests[1])[name])


@pytest.mark.parametrize(("names", "refused"), [(["boxes"], False), (["faces", "boxes"], True)])
def test_crops_beyond_what_an_answer_can_hold(names, refused):
    request = read(raw(BLANK), parameters={"image_size": 1024}, requested_output_names=names)
    request.answer([detection(100)], ENGINE)
    assert (request.refusal is not None) == refused
    if refused:
        assert request.refusal.reason == "answer_too_large"
        assert str(request.refusal).startswith("image_size is 1024, must be smaller for 100 faces, or max_faces lower")


def test_too_little_memory_for_the_crops_is_the_servers_fault():
    request = read(raw(BLANK), parameters={"image_size": 1000}, requested_output_names=["faces"])
    with little_memory(20 * 2**20):
        request.answer([detection(80)], ENGINE)
    assert_unavailable(request)
