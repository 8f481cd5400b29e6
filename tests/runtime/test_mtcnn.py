"""Model `mtcnn` on the stand-in: a batch of requests of which each gets its own outcome, and what is told of it."""

import dataclasses
import io
import itertools
import json
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from PIL import Image

from face_cascade.networks import STAGES
from face_cascade.numpy_arrays import NUMPY
from face_pictures.decoding import decode_image
from face_repository.layout import default_repository
from face_runtime import engine
from face_runtime.answers import Request, caller_is_gone
from face_runtime.device import faces
from face_runtime.device.arrays import TorchArrays
from face_runtime.record import Record
from face_runtime.spans import StageSpans
from face_runtime.torchscript import TorchScriptNetwork
from tests.pictures import astronaut
from tests.runtime.stand_in import (
    LINES,
    METRICS,
    MODELS,
    InferenceRequest,
    InferenceResponse,
    Tensor,
    Trace,
    TritonError,
)

BLANK = np.zeros((1, 60, 70, 3), np.uint8)


@pytest.fixture(scope="module")
def networks():
    files = {network: default_repository() / network.name / "1" / "model.pt" for network in STAGES}
    return {network: TorchScriptNetwork(file, "cpu", 64) for network, file in files.items()}


@pytest.fixture
def instance(model):
    """Makes an instance of the model, with some parameters of its own."""

    def made(**given):
        parameters = {
            "networks": "bls",
            "engine": "auto",
            "decode": "auto",
            "facenet_crops": "host",
            "network_versions": "pnet=1 rnet=1 onet=1",
            "max_pixels": "1000000",
            "group_pixels": "300000",
            "gpu_group_pixels": "900000",
            "log_executions": "true",
            **given,
        }
        config = {"parameters": {name: {"string_value": value} for name, value in parameters.items()}}
        mtcnn = model(
            "model_repository/mtcnn/1/model.py",
            model_config=json.dumps(config),
            model_repository=str(default_repository() / "mtcnn"),
            model_instance_kind="CPU",
            model_instance_device_id="0",
            model_instance_name="mtcnn_0_0",
        )
        execute = mtcnn.execute

        def reported(requests):
            responses = execute(requests)
            # Told shortly after.
            mtcnn._observer._reported.result()
            return responses

        mtcnn.execute = reported
        return mtcnn

    return made


@pytest.fixture
def mtcnn(instance, networks):
    """An instance that asks the networks as models of the same server."""

    def served(network):
        def answer(request):
            assert request.model_version == 1
            outputs = networks[network](request.inputs()[0].as_numpy())
            return InferenceResponse([Tensor(*pair) for pair in zip(network.outputs, outputs, strict=True)])

        return answer

    MODELS.update({network.name: served(network) for network in STAGES})
    return instance()


def asking(image, *names, **given):
    names = names or ("num_faces", "picture_size")
    return InferenceRequest(inputs=[Tensor("image", image)], requested_output_names=names, **given)


def outputs(response):
    assert not response.has_error(), response.error()
    return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}


def counted(name):
    """What counters of a name say, by their label; without those at 0."""
    return {label: values[0] for (family, label), values in METRICS.items() if family == name and values != [0]}


def test_each_request_of_a_batch_has_its_own_outcome(mtcnn):
    batch = [
        asking(astronaut()[None], request_id="good"),
        asking(BLANK, parameters={"factor": 7}, request_id="bad"),
        asking(BLANK, gone=lambda: True, request_id="gone"),
        asking(np.concatenate([BLANK, BLANK])),
    ]
    good, bad, gone, pair = mtcnn.execute(batch)
    assert outputs(good)["num_faces"].tolist() == [[1]]
    assert outputs(pair)["num_faces"].tolist() == [[0], [0]]
    assert outputs(pair)["picture_size"].tolist() == [[70, 60]] * 2
    assert (bad.error().code(), gone.error().code()) == (TritonError.INVALID_ARG, TritonError.CANCELLED)
    assert counted("mtcnn_refused_requests_total") == {"parameter": 1, "cancelled": 1}
    assert METRICS["mtcnn_batch_images", ""] == [3]
    assert METRICS["mtcnn_image_faces", ""] == [1, 0, 0]
    assert counted("mtcnn_candidates_total")["onet"] == 1
    levels = {text.partition(" id=")[2] or "executed": level for level, text in LINES}
    assert levels == {"bad": "warning", "gone": "info", "executed": "info"}
    (line,) = [text for _, text in LINES if "executed" in text]
    assert line.startswith("mtcnn: executed requests=4 images=3 faces=1 rows.pnet=")
    assert line.endswith(" ids=good,bad,gone")


def test_metrics_are_named_by_the_networks(mtcnn):
    labels = {}
    for name, label in METRICS:
        labels.setdefault(name, []).append(label)
    assert labels["mtcnn_stage_seconds"] == ["decode", "integral", "pnet", "nms", "rnet", "onet", "other", "answer"]
    for name in ("mtcnn_work_seconds_total", "mtcnn_rows_total", "mtcnn_candidates_total"):
        assert labels[name] == ["pnet", "rnet", "onet"]
    mtcnn.execute([asking(astronaut()[None])])
    unknown = [label for name, label in METRICS if name == "mtcnn_stage_seconds" and label not in labels[name]]
    assert not unknown, "the cascade has a stage that was not there from the start"
    assert all(METRICS["mtcnn_stage_seconds", stage] for stage in labels["mtcnn_stage_seconds"])


def test_groups_of_a_batch_get_what_each_gets_alone(mtcnn):
    """Each picture of the astronaut is a group of its own."""
    wanted = ("boxes", "landmarks", "probabilities")
    pictures = [astronaut(), astronaut()[:, ::-1], astronaut()[100:400]]
    together = mtcnn.execute([asking(picture[None], *wanted) for picture in pictures])
    assert METRICS["mtcnn_batch_images", ""] == [3]
    for response, picture in zip(together, pictures, strict=True):
        (alone,) = mtcnn.execute([asking(picture[None], *wanted)])
        assert outputs(alone)["boxes"].shape[1] == 1
        for name, array in outputs(alone).items():
            np.testing.assert_array_equal(outputs(response)[name], array)


def test_whoever_asks_is_told_the_time_of_the_whole_execution(mtcnn):
    """Also in the first of its groups, and for each of several pictures; one that is refused is not counted."""
    batch = [
        asking(astronaut()[None], "num_faces", "timing"),
        asking(BLANK, "timing", parameters={"factor": 7}),
        asking(astronaut()[None]),
        asking(np.concatenate([BLANK, BLANK]), "timing"),
    ]
    first, refused, unasked, pair = mtcnn.execute(batch)
    (text,), again = outputs(first)["timing"][0], outputs(pair)["timing"]
    assert again.tolist() == [[text], [text]]
    assert outputs(pair).keys() == {"timing"}
    assert "timing" not in outputs(unasked)
    assert refused.has_error()
    timing = json.loads(text)
    assert timing.pop("images") == 4
    for stage, seconds in timing.items():
        (observed,) = METRICS["mtcnn_stage_seconds", stage]
        assert seconds == pytest.approx(observed, abs=1e-6)
    assert timing.keys() == {"decode", "integral", "pnet", "nms", "rnet", "onet", "other", "answer"}


def leaving_after(times):
    """A caller who is still there so many times that somebody looks."""
    looked = itertools.count()
    return lambda: next(looked) >= times


def test_when_all_callers_leave_the_cascade_stops(mtcnn):
    asked = []
    pnet = MODELS["pnet"]
    MODELS["pnet"] = lambda request: asked.append("pnet") or pnet(request)
    MODELS["rnet"] = lambda _: pytest.fail("nobody waits")
    # There when the request is read, when its group begins, and before the sums and PNet.
    (response,) = mtcnn.execute([asking(astronaut()[None], gone=leaving_after(4))])
    assert response.error().code() == TritonError.CANCELLED
    assert asked
    assert METRICS["mtcnn_batch_images", ""] == []
    assert [level for level, _ in LINES] == ["info"]


def test_callers_who_stay_are_answered(mtcnn):
    left, stayed = mtcnn.execute([asking(BLANK, gone=leaving_after(1)), asking(BLANK)])
    assert left.error().code() == TritonError.CANCELLED
    assert outputs(stayed)["num_faces"].tolist() == [[0]]
    assert METRICS["mtcnn_batch_images", ""] == [1]


def test_a_network_that_fails_fails_its_group(mtcnn):
    MODELS["rnet"] = lambda _: InferenceResponse(error=TritonError("it burns", TritonError.INTERNAL))
    pictures = [astronaut()[None], astronaut()[None], BLANK]
    first, second, blank = mtcnn.execute([asking(picture) for picture in pictures])
    for response in (first, second):
        assert response.error().message() == "model rnet: it burns"
    # The blank one needs no RNet, but goes with the second.
    assert blank.has_error()
    assert counted("mtcnn_refused_requests_total") == {"network": 3}
    assert [level for level, _ in LINES] == ["error"] * 3


def test_too_little_memory_anywhere_is_the_servers_fault(mtcnn, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    encoded = InferenceRequest(inputs=[Tensor("encoded_image", np.array([[b"x"]], np.object_))])
    monkeypatch.setattr(engine, "decode_image", no_memory)
    monkeypatch.setattr(engine, "detection_crops", no_memory)
    whole = [encoded, asking(astronaut()[None], "faces"), asking(astronaut()[None])]
    reading, cutting, good = mtcnn.execute(whole)
    MODELS["pnet"] = no_memory
    (searching,) = mtcnn.execute([asking(BLANK)])
    told = {
        reading: "model mtcnn has too little memory to read this request now",
        cutting: "model mtcnn has too little memory to answer this request now",
        searching: "model mtcnn has too little memory for 1 images at once",
    }
    for response, message in told.items():
        assert (response.error().message(), response.error().code()) == (message, TritonError.UNAVAILABLE)
    assert outputs(good)["num_faces"].tolist() == [[1]]
    assert counted("mtcnn_refused_requests_total") == {"memory": 3}
    assert [level for level, text in LINES if "refused" in text] == ["error"] * 3


FACE = np.ascontiguousarray(astronaut()[40:240, 140:320])

WANTED = ("boxes", "landmarks", "probabilities", "faces")


def encoded(picture, image_format="JPEG"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, image_format)
    return file.getvalue()


def asking_encoded(file, **given):
    files = Tensor("encoded_image", np.array([[file]], np.object_))
    return InferenceRequest(inputs=[files], requested_output_names=WANTED, **given)


@pytest.fixture
def on_torch(instance):
    """An instance whose images lie where torch computes, here on the processor; its networks are its own."""
    made = instance(networks="auto", engine="torch")
    assert isinstance(made._engine.arrays, TorchArrays)
    return made


def test_on_torch_each_request_of_a_batch_has_its_own_outcome(on_torch, mtcnn):
    file = encoded(astronaut())
    batch = [
        asking(astronaut()[None], *WANTED),
        asking_encoded(encoded(astronaut(), "PNG")),
        asking_encoded(file[:9000], request_id="cut"),
        asking(BLANK, parameters={"factor": 7}, request_id="bad"),
        asking(BLANK, gone=lambda: True, request_id="gone"),
        asking(np.concatenate([BLANK, BLANK])),
        asking_encoded(file[:40], request_id="header"),
        asking_encoded(file),
    ]
    raw, png, cut, bad, gone, pair, header, jpeg = on_torch.execute(batch)
    (of_raw,) = mtcnn.execute([asking(astronaut()[None], *WANTED)])
    # Its crops are cut out of an image that lies on the device.
    (of_jpeg,) = mtcnn.execute([asking(decode_image(file)[None], *WANTED)])
    for response, expected in ((raw, of_raw), (png, of_raw), (jpeg, of_jpeg)):
        assert outputs(expected)["boxes"].shape[1] == 1
        for name, array in outputs(expected).items():
            np.testing.assert_allclose(outputs(response)[name], array, atol=1e-3, err_msg=name)
    assert outputs(pair)["num_faces"].tolist() == [[0], [0]]
    codes = [response.error().code() for response in (cut, bad, gone, header)]
    assert codes == [TritonError.INVALID_ARG, TritonError.INVALID_ARG, TritonError.CANCELLED, TritonError.INVALID_ARG]
    damaged = "encoded_image is damaged or truncated: the pixels of this JPEG file cannot be read"
    assert (cut.error().message(), header.error().message()) == (damaged, damaged)
    assert counted("mtcnn_refused_requests_total") == {"image": 2, "parameter": 1, "cancelled": 1}


def driven_by(made, run):
    """The instance with another runner: run(call, plain)."""
    plain = made._engine.run
    made._engine = dataclasses.replace(made._engine, run=lambda call: run(call, plain))


class Held:
    """Memory of an attempt."""


def test_a_batch_for_which_memory_does_not_suffice_is_tried_by_halves(on_torch):
    """And what the failed attempt held is free by then."""
    held, tiles = [], []

    def fails_once(call, plain):
        if not held:
            memory = Held()
            held.append(weakref.ref(memory))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        assert held[0]() is None
        tiles.append(len(call.batch))
        return plain(call)

    pictures = [FACE, BLANK[0], np.ascontiguousarray(FACE[:, ::-1])]
    alone = [outputs(on_torch.execute([asking(picture[None], *WANTED)])[0]) for picture in pictures]
    METRICS["mtcnn_batch_images", ""].clear()
    driven_by(on_torch, fails_once)
    together = on_torch.execute([asking(picture[None], *WANTED) for picture in pictures])
    assert held
    assert tiles
    for response, expected in zip(together, alone, strict=True):
        for name, array in outputs(response).items():
            np.testing.assert_allclose(array, expected[name], atol=1e-3, err_msg=name)
    assert [len(of_one["boxes"][0]) for of_one in alone] == [1, 0, 1]
    assert METRICS["mtcnn_batch_images", ""] == [3], "once, however often it was tried"
    assert counted("mtcnn_refused_requests_total") == {}


def test_who_alone_is_too_much_is_refused_and_the_others_are_answered(on_torch):
    glaring = np.full((1, 90, 80, 3), (255, 0, 130), np.uint8)

    def fails_for_that(call, plain):
        if (call.batch == torch.tensor([255.0, 0, 130]).view(1, 3, 1, 1)).all(1).any():
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(call)

    driven_by(on_torch, fails_for_that)
    batch = [asking(FACE[None]), asking(glaring), asking(BLANK), asking(FACE[None]), asking(BLANK)]
    first, refused, *others = on_torch.execute(batch)
    assert [outputs(response)["num_faces"].tolist() for response in (first, *others)] == [[[1]], [[0]], [[1]], [[0]]]
    assert refused.error().message() == "model mtcnn has too little memory for 1 images at once"
    assert refused.error().code() == TritonError.UNAVAILABLE
    assert counted("mtcnn_refused_requests_total") == {"memory": 1}


def test_a_gpu_without_memory_for_the_pictures(on_torch):
    def no_memory(_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    decoder = SimpleNamespace(open=on_torch._engine.decoder.open, finish=no_memory, map=map)
    on_torch._engine = dataclasses.replace(on_torch._engine, decoder=decoder)
    *refused, bad = on_torch.execute(
        [asking_encoded(encoded(FACE)), asking(BLANK), asking(BLANK, parameters={"factor": 7})]
    )
    assert [(response.error().message(), response.error().code()) for response in refused] == [
        ("model mtcnn has too little memory for the pictures of 2 requests at once", TritonError.UNAVAILABLE)
    ] * 2
    assert bad.error().code() == TritonError.INVALID_ARG


def test_a_gpu_without_memory_for_the_crops(on_torch, monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(faces, "resized", no_memory)
    there, here = on_torch.execute([asking_encoded(encoded(astronaut())), asking(astronaut()[None], *WANTED)])
    assert there.error().message() == "model mtcnn has too little memory to answer this request now"
    assert there.error().code() == TritonError.UNAVAILABLE
    assert outputs(here)["boxes"].shape == (1, 1, 4)


def test_a_gpu_that_fails_ends_the_instance(on_torch, monkeypatch):
    ended = []

    def failed(*_):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nmore")

    def end(status):
        ended.append(status)
        raise SystemExit(status)

    monkeypatch.setattr("os._exit", end)
    on_torch._engine = dataclasses.replace(on_torch._engine, run=failed)
    with pytest.raises(SystemExit):
        on_torch.execute([asking(FACE[None])])
    assert len(ended) == 1
    assert any("the GPU failed" in line and "illegal memory access" in line for line in map(str, LINES))


def test_the_environment_wins_over_the_models_parameters(instance, monkeypatch):
    monkeypatch.setenv("TRITON_FACES_ENGINE", "torch")
    assert isinstance(instance(engine="numpy")._engine.arrays, TorchArrays)
    monkeypatch.setenv("TRITON_FACES_ENGINE", "numpy")
    assert instance(engine="torch")._engine.arrays is NUMPY
    monkeypatch.setenv("TRITON_FACES_DECODE", "nobody")
    with pytest.raises(ValueError, match="decode is 'nobody', must be one of auto, cpu, gpu"):
        instance()


def test_stages_are_spans_below_the_request_that_triton_traces():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = StageSpans(provider, TraceContextTextMapPropagator().extract)
    record = Record()
    for name in ("decode", "other", "pnet", "other", "answer"):
        with record.stage(name):
            pass
    trace, parent = "0123456789abcdef" * 2, "0123456789abcdef"
    traced = Trace(json.dumps({"traceparent": f"00-{trace}-{parent}-01"}))
    batch = [Request(InferenceRequest(request_id="a", trace=traced)), Request(InferenceRequest(request_id="b"))]
    batch[0].refusal = caller_is_gone()
    spans.export([request.outcome for request in batch], record.images, record.stage_times)
    finished = exporter.get_finished_spans()
    assert [span.name for span in finished] == ["decode", "pnet", "answer"]
    for span in finished:
        assert f"{span.context.trace_id:032x}" == trace
        assert f"{span.parent.span_id:016x}" == parent
        assert dict(span.attributes) == {
            "faces.request_id": "a",
            "faces.batch_requests": 2,
            "faces.batch_images": 0,
        }
    spans.close()
