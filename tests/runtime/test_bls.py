"""Asking another model of the server."""

import numpy as np
import pytest
import torch

from face_cascade import RNET
from face_runtime.answers import Refused
from face_runtime.bls import ask, ask_with_tensors, first_trace
from tests.runtime.stand_in import (
    MODELS,
    TRITONSERVER_MEMORY_CPU,
    InferenceRequest,
    InferenceResponse,
    PreferredMemory,
    Tensor,
    Trace,
    TritonError,
)

BATCH = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_outputs_come_in_the_order_in_which_they_are_wanted():
    asked = []

    def rnet(request):
        asked.append(request)
        batch = request.inputs()[0].as_numpy()
        # In another order, and with one more.
        values = {"more": 0, "probability__1": 1, "regression__0": 2}
        return InferenceResponse([Tensor(name, batch + value) for name, value in values.items()])

    MODELS["rnet"] = rnet
    regression, probability = ask(RNET, BATCH, RNET.outputs, version=3)
    np.testing.assert_array_equal(regression, BATCH + 2)
    np.testing.assert_array_equal(probability, BATCH + 1)
    (request,) = asked
    assert (request.model_version, request.inputs()[0].name()) == (3, "crops__0")
    assert request.requested_output_names() == list(RNET.outputs)
    assert request.preferred_memory == PreferredMemory(TRITONSERVER_MEMORY_CPU)


def test_tensors_are_asked_and_answered_without_arrays():
    asked = []

    def rnet(request):
        asked.append(request)
        batch = request.inputs()[0].as_numpy()
        values = {"probability__1": 1, "regression__0": 2}
        return InferenceResponse([Tensor(name, batch + np.float32(value)) for name, value in values.items()])

    MODELS["rnet"] = rnet
    # Not as it lies in memory: Triton takes what lies end to end.
    given = torch.from_numpy(BATCH.T.copy()).T
    regression, probability = ask_with_tensors(RNET, given, RNET.outputs, version=3)
    torch.testing.assert_close(regression, given + 2, rtol=0, atol=0)
    torch.testing.assert_close(probability, given + 1, rtol=0, atol=0)
    (request,) = asked
    assert (request.model_version, request.inputs()[0].name()) == (3, "crops__0")
    assert request.requested_output_names() == list(RNET.outputs)
    assert request.preferred_memory == PreferredMemory(TRITONSERVER_MEMORY_CPU)
    MODELS["rnet"] = lambda _: InferenceResponse(error=TritonError("it burns", TritonError.UNAVAILABLE))
    with pytest.raises(Refused, match="model rnet: it burns"):
        ask_with_tensors(RNET, given, RNET.outputs)


def test_a_network_that_does_not_answer():
    MODELS["rnet"] = lambda _: InferenceResponse(error=TritonError("it burns", TritonError.UNAVAILABLE))
    with pytest.raises(Refused, match="model rnet: it burns") as caught:
        ask(RNET, BATCH, RNET.outputs)
    assert (caught.value.reason, caught.value.code) == ("network", TritonError.UNAVAILABLE)


def test_what_is_asked_belongs_to_the_first_trace_of_the_batch():
    asked = []

    def rnet(request):
        asked.append(request.trace().get_context())
        return InferenceResponse([Tensor(name, BATCH) for name in RNET.outputs])

    MODELS["rnet"] = rnet
    contexts = (None, "", '{"traceparent": "first"}', '{"traceparent": "second"}')
    with first_trace([InferenceRequest(trace=Trace(context)) for context in contexts]):
        ask(RNET, BATCH, RNET.outputs)
    with first_trace([InferenceRequest()]):
        ask(RNET, BATCH, RNET.outputs)
    ask(RNET, BATCH, RNET.outputs)
    assert asked == ['{"traceparent": "first"}', None, None]
