"""What a caller of `face_identification` may say, and who is told that it is unknown."""

import json

import numpy as np
import pytest

from face_cascade.parameters import DetectionParameters, InvalidInput, read
from face_runtime.engine import InThreads
from face_runtime.identification import IdentificationParameters
from face_runtime.requests import ImageRequest
from tests.runtime.stand_in import InferenceRequest, Tensor

BLANK = np.zeros((1, 30, 40, 3), np.uint8)


def parse(**values):
    return read(values, DetectionParameters, IdentificationParameters)[1]


def test_nothing_said_is_everybody_by_the_gallerys_threshold():
    chosen = parse(min_face_size=40)
    assert (chosen.threshold, chosen.top, chosen.among, chosen.having) == (0, 3, None, None)


def test_what_is_said():
    chosen = parse(threshold="0.9", top=5.0, collections="staff, guests", where='{"site": 1, "in": true, "a": "b"}')
    assert (chosen.threshold, chosen.top) == (0.9, 5)
    assert chosen.among == ["staff", "guests"]
    assert chosen.having == {"site": 1, "in": True, "a": "b"}
    assert parse(collections='["Caf\\u0065\\u0301, upstairs", "[x]"]').among == ["Caf\u00e9, upstairs", "[x]"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"treshold": 1}, "parameter 'treshold' is unknown, known are min_face_size, .*clip, threshold, coll"),
        ({"threshold": 2.1}, r"threshold is 2.1, must be from 0 to 2"),
        ({"threshold": "near"}, "threshold is 'near', must be a number"),
        ({"top": 0}, "top is 0, must be from 1 to 100"),
        ({"top": 1.5}, "top is 1.5, must be a whole number"),
        ({"collections": 7}, "collections is 7, must be a string"),
        ({"collections": "[1]"}, r"collections is '\[1\]', must be names, or a JSON array of names"),
        ({"collections": "[staff]"}, r"collections is '\[staff\]', which is no JSON"),
        ({"collections": '["\\ud800"]'}, "must be whole letters without a NUL"),
        ({"collections": "a\0"}, "must be whole letters without a NUL"),
        ({"where": "site=1"}, "where is 'site=1', which is no JSON"),
        ({"where": "[" * 4000}, "which is no JSON"),
        ({"where": "x" * 4097}, "where has 4097 characters, must have at most 4096"),
        ({"where": "[]"}, r"where is '\[\]', must be a JSON object of texts"),
        ({"where": '{"a": null}'}, "must be a JSON object of texts"),
        ({"where": '{"a": {}}'}, "must be a JSON object of texts"),
        ({"where": '{"a": NaN}'}, "must be a JSON object of texts"),
        ({"where": '{"a": 1e999}'}, "must be a JSON object of texts"),
        ({"where": json.dumps({"a": 2**63})}, "must be a JSON object of texts"),
        ({"where": '{"a\\u0000": 1}'}, "must be whole letters without a NUL"),
    ],
)
def test_what_cannot_be_said(values, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        parse(**values)


def asked(*outputs, **parameters):
    request = ImageRequest(
        InferenceRequest(inputs=[Tensor("image", BLANK)], requested_output_names=outputs, parameters=parameters)
    )
    request.read(1_000_000, InThreads(map))
    return request


def test_mtcnn_knows_the_names_of_identification_for_identification_alone():
    known = asked("boxes", "facenet_crops", "num_named", top=5, where='{"a": 1}', max_faces=1)
    assert known.is_open
    assert known.parameters == DetectionParameters(max_faces=1)
    everything = ("boxes", "facenet_crops", "num_crops", "num_named")
    for outputs in (("boxes",), ("facenet_crops", "num_crops"), everything):
        refused = asked(*outputs, top=5)
        assert str(refused.refusal).startswith("parameter 'top' is unknown, known are min_face_size, ")
        assert "threshold," not in str(refused.refusal)


def test_what_is_wrong_of_identification_is_refused_before_anything_is_looked_for():
    assert str(asked("num_named", top=0).refusal) == "top is 0, must be from 1 to 100"
