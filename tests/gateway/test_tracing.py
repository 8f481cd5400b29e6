"""Spans of the door: what they say of a request, and what of a caller's headers goes on."""

import numpy as np
import pytest
from opentelemetry import baggage, propagate, trace

from face_client.errors import InvalidImage
from face_gateway.answers import encoded
from tests.fakes import answer
from tests.gateway.asgi import app_of, call
from tests.spans import recorder

PICTURE = encoded(np.zeros((30, 40, 3), np.uint8), "png")
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans():
    exporter = recorder()
    exporter.clear()
    return exporter


def fails(_request):
    raise RuntimeError


def bad(_request):
    raise InvalidImage("no picture")


@pytest.mark.parametrize(
    ("reply", "method", "path", "headers", "route", "status"),
    [
        (lambda _: answer(1), "POST", "/v1/detect", {}, "/v1/detect", 200),
        (bad, "POST", "/v1/detect", {}, "/v1/detect", 422),
        (fails, "POST", "/v1/detect", {}, "/v1/detect", 500),
        (bad, "POST", "/v1/detect", {"host": "evil.example"}, "none", 403),
        (bad, "GET", "/v1/nothing", {}, "none", 404),
    ],
)
def test_a_span_says_what_became_of_its_request(spans, reply, method, path, headers, route, status):
    call(
        app_of(reply), method, path, body=PICTURE if method == "POST" else b"",
        headers={"x-request-id": "a-1", "traceparent": f"00-{TRACE}-{PARENT}-01", **headers},
        fault=RuntimeError if reply is fails else None,
    )  # fmt: skip
    (span,) = [each for each in spans.get_finished_spans() if each.kind is trace.SpanKind.SERVER]
    assert span.name == f"{method} {route}"
    assert span.attributes == {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "faces.request_id": "a-1",
    }
    assert (span.status.status_code is trace.StatusCode.ERROR) == (status >= 500)
    assert (span.context.trace_id, span.parent.span_id) == (int(TRACE, 16), int(PARENT, 16))


def test_nothing_but_the_trace_goes_on():
    sent = {}

    def look(_request):
        propagate.inject(sent)
        assert not baggage.get_all()
        return answer(1)

    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "baggage": "user=eve", "x-other": "1"}
    assert call(app_of(look), "POST", "/v1/detect", headers=headers, body=PICTURE).status == 200
    assert set(sent) == {"traceparent"}
    assert TRACE in sent["traceparent"]
