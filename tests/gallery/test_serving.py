"""What the served model is asked and what its answer means, without a server."""

import json

import numpy as np
import pytest

from face_client.errors import InvalidInput, ServerError, UnfitWeights
from face_client.messages import Response
from face_client.similarity import RANDOM_WEIGHTS
from face_gallery.records import Candidate, Threshold
from face_gallery.serving import identified, search_of, unfit_weights
from tests.gallery.people import faces_of, units


def parameters(top=3, collections=None, where=None, **options):
    return search_of("face_identification", top, collections, where, False, None, options).parameters


def test_the_parameters_are_those_that_the_server_reads():
    assert parameters() == {"top": 3}
    asked = parameters(np.int64(5), ["staff", "a, b"], {"site": 1}, max_faces=2)
    assert asked == {"top": 5, "collections": '["staff", "a, b"]', "where": '{"site": 1}', "max_faces": 2}
    with pytest.raises(InvalidInput, match="top is 0"):
        parameters(0)
    with pytest.raises(TypeError, match="threshhold"):
        parameters(threshhold=1)


def response(candidates, details=None):
    told = details or {
        "distance": 0.8,
        "source": "calibrated",
        "false_match_rate": 0.001,
        "interval": [0, 1],
        "people": 9,
    }
    return Response(
        {
            "margins": np.array([[0.5, 4.0]], np.float32),
            "candidates": np.array([[json.dumps(each).encode() for each in candidates]], np.object_),
            "threshold_details": np.array([[json.dumps(told).encode()]], np.object_),
        }
    )


ADA = Candidate("Ada", "default", 0.9, 0.595, 7, {"site": 1})
TOLD = {**ADA.to_dict(), "face": 7}


def test_an_answer_is_what_a_gallery_would_say():
    known, nobody = identified(faces_of(units(2)), response([[TOLD], []]), None, None)
    assert known.candidates == [ADA]
    assert known.threshold == Threshold(0.8, "calibrated", 0.001, (0, 1), 9)
    assert (known.person, known.distance, known.margin) == (None, 0.9, 0.5)
    assert (nobody.distance, nobody.margin) == (None, None)
    known, _ = identified(faces_of(units(2)), response([[TOLD], []]), 1, None)
    assert (known.person, known.threshold) == ("Ada", Threshold(1.0, "given"))
    known, _ = identified(faces_of(units(2)), response([[TOLD], []]), 0, None)
    assert known.person is None, "nobody is nearer than that"


@pytest.mark.parametrize(
    "wrong", [Response({}), response([[{}], []]), response([["Ada"], []]), response([TOLD, []], [1])]
)
def test_an_answer_of_another_server_is_none(wrong):
    with pytest.raises(ServerError, match="the server's answer has no names in it"):
        identified(faces_of(units(2)), wrong, None, None)


def test_weights_that_will_not_do_are_an_error_of_their_own():
    with pytest.raises(UnfitWeights, match="random weights"), unfit_weights():
        raise ServerError(f"{RANDOM_WEIGHTS}; give it trained ones")
    with pytest.raises(ServerError, match="fault"), unfit_weights():
        raise ServerError("a fault")
