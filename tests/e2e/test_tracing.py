"""Traces and logs of a server that writes both for machines: one collector, one server."""

import json
import re
import time

import numpy as np
import pytest
import tritonclient.http
from opentelemetry import trace
from tritonclient.utils import InferenceServerException

from face_cascade import FACENET
from face_client import FaceClient, InvalidInput
from face_repository.layout import REQUIRED
from face_server import EmbeddedTriton, Settings
from tests.e2e.collector import collecting
from tests.e2e.requests import encoded_image, outputs
from tests.pictures import DATA, astronaut
from tests.spans import recorder

STAGES = ["decode", "integral", "pnet", "nms", "rnet", "onet", "answer"]

PICTURE = (DATA / "astronaut.png").read_bytes()


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector, repository):
    settings = Settings(networks="bls", models=(*REQUIRED, FACENET.name), trace=collector.url, log_format="json")
    with EmbeddedTriton(repository, settings) as server:
        yield server


@pytest.fixture(scope="module")
def client(traced):
    with FaceClient(traced.grpc_url) as client:
        yield client


def span_of(collector, model, request):
    """The span of a model for the request with this id."""

    def found(spans):
        return [s for s in spans if s.name == model and s.attributes.get("triton.request_id") == request]

    (span,) = found(collector.wait_for(found))
    return span


def ask(client, model, request, *names):
    client.infer(model, [encoded_image(PICTURE)], outputs=outputs(*names), request_id=request)


@pytest.fixture(scope="module")
def grpc_client(traced):
    with tritonclient.grpc.InferenceServerClient(traced.grpc_url) as client:
        yield client


def test_a_detection_has_its_stages_and_networks_below_it(collector, grpc_client):
    ask(grpc_client, "mtcnn", "detection-1", "boxes")
    detection = span_of(collector, "mtcnn", "detection-1")

    def complete(_spans):
        below = collector.below(detection)
        models = {s.attributes.get("triton.model_name") for s in below}
        return "answer" in {s.name for s in below} and {"pnet", "rnet", "onet"} <= models

    collector.wait_for(complete)
    below = collector.below(detection)
    stages = [s for s in below if "faces.request_id" in s.attributes]
    assert [s.name for s in stages] == STAGES
    assert all(s.attributes["faces.request_id"] == "detection-1" for s in stages)
    assert all(s.attributes["faces.batch_images"] == 1 for s in stages)
    assert detection.start <= stages[0].start
    assert stages[-1].end <= detection.end
    networks = [s for s in below if s.attributes.get("triton.model_name") in ("pnet", "rnet", "onet")]
    assert {s.name for s in networks} == {"pnet", "rnet", "onet"}
    for network in networks:
        (stage,) = [s for s in stages if s.name == network.name]
        # Triton ends a span after it has answered: by then the stage may have its end.
        assert stage.start <= network.start < stage.end
        assert network.start < network.end
    assert {s.service for s in collector.spans} == {"triton-faces"}
    assert collector.paths == {"/v1/traces"}


def test_a_recognition_is_one_trace_through_all_models(collector, grpc_client):
    ask(grpc_client, "face_recognition", "recognition-1", "boxes", "embeddings")
    whole = span_of(collector, "face_recognition", "recognition-1")
    embedding = span_of(collector, "face_embeddings", "recognition-1")
    assert [s.name for s in collector.below(whole)] == ["mtcnn", "face_embeddings"]
    collector.wait_for(lambda _spans: "facenet" in {s.name for s in collector.below(embedding)})
    assert span_of(collector, "mtcnn", "recognition-1").trace == whole.trace


def test_a_callers_trace_goes_on_in_the_server(collector, client):
    """Triton 2.51 overlooks the header of some gRPC requests, of more on a busy machine: many are sent."""
    recorded = recorder()
    with trace.get_tracer("test").start_as_current_span("caller") as caller:
        for _ in range(20):
            client.detect(astronaut())
    own = f"{caller.get_span_context().trace_id:032x}"
    calls = [
        s for s in recorded.get_finished_spans() if f"{s.context.trace_id:032x}" == own and s.name == "infer mtcnn"
    ]
    assert len(calls) == 20
    requests = {s.attributes["faces.request_id"]: f"{s.context.span_id:016x}" for s in calls}
    parents = {span_of(collector, "mtcnn", request).parent for request in requests}
    spans = collector.wait_for(lambda spans: parents <= {s.id for s in spans})
    kept = [s for s in spans if s.id in parents and s.trace == own]
    assert len(kept) >= 2
    assert {s.parent for s in kept} <= set(requests.values())


def test_a_callers_trace_goes_on_over_http(collector, traced):
    address = traced.http_url.removeprefix("http://")
    with tritonclient.http.InferenceServerClient(address) as http:
        tensor = tritonclient.http.InferInput("image", (1, 512, 512, 3), "UINT8")
        tensor.set_data_from_numpy(astronaut()[None])
        http.infer(
            "mtcnn",
            [tensor],
            outputs=[tritonclient.http.InferRequestedOutput("boxes")],
            request_id="http-1",
            headers={"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"},
        )
    assert span_of(collector, "mtcnn", "http-1").trace == "0123456789abcdef0123456789abcdef"


def test_nobody_may_change_tracing_from_outside(grpc_client):
    for call in (lambda: grpc_client.get_trace_settings(), lambda: grpc_client.update_trace_settings(settings={})):
        with pytest.raises(InferenceServerException, match="This protocol is restricted"):
            call()


def event(server, request):
    """Our models' one line that names a request. It may come a little after the answer."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in server.log_lines if line.startswith("{")]
        found = [line for line in lines if request in (line.get("id"), *line.get("ids", ()))]
        if found:
            (line,) = found
            return line
        time.sleep(0.05)
    raise AssertionError(f"no line names {request}")


def test_an_executions_line_as_json(traced, grpc_client):
    ask(grpc_client, "mtcnn", "logged-1", "boxes")
    line = event(traced, "logged-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert re.fullmatch(r"mtcnn_\d_\d", line.pop("worker"))
    stages = line.pop("stages")
    assert set(STAGES) <= set(stages)
    assert line.pop("seconds") == pytest.approx(sum(stages.values()))
    rows = line.pop("rows")
    assert rows.keys() == {"pnet", "rnet", "onet"}
    assert line == {
        "level": "info",
        "model": "mtcnn",
        "event": "executed",
        "requests": 1,
        "images": 1,
        "faces": 1,
        "ids": ["logged-1"],
    }


def test_a_failed_request_is_found_by_its_id(traced, client):
    with pytest.raises(InvalidInput) as caught:
        client.detect(np.zeros((40, 40, 3), np.uint8), min_face_size=1)
    line = event(traced, caught.value.request_id)
    assert (line["level"], line["event"], line["reason"]) == ("warning", "refused", "parameter")
    assert line["message"] == str(caught.value)


def test_an_id_may_be_anything(traced, grpc_client):
    for request in ("two\nlines", 'a "quoted" one', "ü" * 1000, "{}"):
        ask(grpc_client, "mtcnn", request, "boxes")
        assert event(traced, request[:64])["event"] == "executed"
