"""A call in the caller's trace, and its id in errors."""

import subprocess
import sys

import pytest
from opentelemetry import trace

from face_client import FaceClient, InvalidImage, InvalidInput, ServerUnavailable
from face_client.wire import call_span
from tests.spans import recorder


def test_a_span_around_the_call_and_headers_that_name_it():
    spans = recorder()
    with trace.get_tracer("test").start_as_current_span("caller") as caller, call_span("mtcnn", "abc") as headers:
        pass
    call = next(s for s in reversed(spans.get_finished_spans()) if s.name == "infer mtcnn")
    assert call.parent.span_id == caller.get_span_context().span_id
    assert call.kind is trace.SpanKind.CLIENT
    assert call.attributes == {"faces.model": "mtcnn", "faces.request_id": "abc"}
    assert headers["traceparent"].startswith(f"00-{call.context.trace_id:032x}-{call.context.span_id:016x}-")


def test_a_call_that_fails_says_so_in_its_span():
    spans = recorder()
    with pytest.raises(ServerUnavailable), call_span("mtcnn", "abc"):
        raise ServerUnavailable("its queue is full")
    call = spans.get_finished_spans()[-1]
    assert not call.status.is_ok
    assert "its queue is full" in call.status.description


def test_a_program_that_does_not_trace_loads_nothing_for_it():
    program = """
import sys
from face_client.wire import call_span
with call_span("mtcnn", "abc") as headers:
    assert headers == {}
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_request_has_an_id_of_its_own_and_its_error_names_it(make_transport, make_answer, picture):
    transport = make_transport(make_answer(), InvalidInput("no"))
    with FaceClient(transport=transport) as client:
        client.detect(picture)
        with pytest.raises(InvalidInput) as caught:
            client.detect(picture)
    first, second = (request.id for request in transport.requests)
    assert first != second
    assert caught.value.request_id == second


def test_attempts_share_an_id(make_transport, picture):
    transport = make_transport(ServerUnavailable("full"))
    with FaceClient(transport=transport, retries=2) as client, pytest.raises(ServerUnavailable) as caught:
        client.detect(picture)
    assert {request.id for request in transport.requests} == {caught.value.request_id}
    assert len(transport.requests) == 3


def test_what_was_never_sent_has_no_id(make_transport):
    with FaceClient(transport=make_transport()) as client, pytest.raises(InvalidImage) as caught:
        client.detect(b"no picture")
    assert caught.value.request_id is None
