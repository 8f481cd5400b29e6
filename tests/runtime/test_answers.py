"""What becomes of a request: each carries its own outcome."""

import numpy as np
import pytest

from face_runtime.answers import Refused, Request, caller_is_gone, check_callers, refusing
from face_runtime.stacking import rows
from tests.runtime.stand_in import InferenceRequest, Tensor, Trace, TritonError


def requests(count):
    return [Request(InferenceRequest(request_id=str(n))) for n in range(count)]


def test_what_is_given_is_the_response():
    (request,) = requests(1)
    assert request.is_open
    request.give({"boxes": np.zeros((1, 2, 4), np.float32), "num_faces": np.array([[2]], np.int32)})
    assert not request.is_open
    response = request.response()
    assert not response.has_error()
    assert [tensor.name() for tensor in response.output_tensors()] == ["boxes", "num_faces"]


def test_a_refusal_is_an_error_with_its_sentence_and_code():
    (request,) = requests(1)
    with refusing([request], ""):
        raise Refused("parameter", "factor is 7, must be from 0.1 to 0.9")
    assert not request.is_open
    error = request.response().error()
    assert (error.message(), error.code()) == ("factor is 7, must be from 0.1 to 0.9", TritonError.INVALID_ARG)


def test_a_block_refuses_those_that_are_still_open():
    answered, refused, open_one, other = requests(4)
    answered.give({})
    refused.refusal = caller_is_gone()
    with refusing([answered, refused, open_one], ""):
        raise Refused("network", "model pnet: gone", TritonError.INTERNAL)
    assert [r.refusal and r.refusal.reason for r in (answered, refused, open_one)] == [None, "cancelled", "network"]
    assert other.is_open


def test_memory_that_runs_out_is_the_servers_fault_and_may_be_tried_again():
    batch = requests(2)
    with refusing(batch, "too little memory for two"):
        np.zeros(1 << 60, np.uint8)
    for request in batch:
        assert request.refusal.reason == "memory"
        error = request.response().error()
        assert (error.message(), error.code()) == ("too little memory for two", TritonError.UNAVAILABLE)


def test_what_nobody_foresaw_is_not_hidden():
    batch = requests(1)
    with pytest.raises(ZeroDivisionError), refusing(batch, ""):
        raise ZeroDivisionError
    assert batch[0].is_open
    with pytest.raises(AssertionError, match="neither answered nor refused"):
        batch[0].response()


def test_work_goes_on_while_one_caller_waits():
    gone, waiting = Request(InferenceRequest(gone=lambda: True)), Request(InferenceRequest())
    check_callers([gone, waiting])
    with pytest.raises(Refused) as caught:
        check_callers([gone, gone])
    assert (caught.value.reason, caught.value.code) == ("cancelled", TritonError.CANCELLED)
    for request in (gone, waiting):
        request.refuse_if_gone()
    assert [request.is_open for request in (gone, waiting)] == [False, True]


def test_triton_is_not_asked_all_the_time_whether_a_caller_is_there(monkeypatch):
    asked = []
    request = Request(InferenceRequest(gone=lambda: asked.append(1) or len(asked) == 2))
    monkeypatch.setattr("face_runtime.answers._ASK_AGAIN_S", 1000)
    assert [request.is_gone for _ in range(3)] == [False] * 3
    assert len(asked) == 1
    monkeypatch.setattr("face_runtime.answers._ASK_AGAIN_S", 0)
    assert [request.is_gone for _ in range(3)] == [True] * 3
    assert len(asked) == 2, "who is gone stays gone"


def test_an_outcome_is_what_is_told():
    answered = Request(InferenceRequest(request_id="x", trace=Trace('{"a": "b"}')))
    refused = Request(InferenceRequest())
    refused.refusal = caller_is_gone()
    assert answered.outcome == ("x", None, '{"a": "b"}')
    assert refused.outcome == ("", refused.refusal, "")


def test_inputs_and_ids():
    request = Request(InferenceRequest(inputs=[Tensor("a", np.zeros(3, np.uint8))], request_id="x" * 100))
    assert request.tensor("a").shape == (3,)
    assert request.tensor("b") is None
    assert request.id == "x" * 64


def test_rows_are_filled_up_with_zeros():
    parts = [np.full((n, 2), n + 1, np.float32) for n in (2, 0, 3)]
    stacked = rows(parts, (2,), np.float32)
    assert stacked.shape == (3, 3, 2)
    for row, part in zip(stacked, parts, strict=True):
        np.testing.assert_array_equal(row[: len(part)], part)
        assert not row[len(part) :].any()
    assert rows([parts[1]], (2,), np.float32).shape == (1, 0, 2)
