"""The cascade's metrics: what was done is what they grow by; and what dashboard and alerts name is there."""

import re
import time
from collections import Counter

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from face_bench.metrics import parse, scrape
from face_client import FaceClient, InvalidImage, InvalidInput
from face_server.supervision.health import Health
from tests.deploy.expressions import alert_expressions, dashboard_expressions, documented_metrics, metrics_of
from tests.e2e.requests import encoded_image, outputs, raw_image, tensor
from tests.pictures import DATA, astronaut, wall

STAGES = {"decode", "integral", "pnet", "nms", "rnet", "onet", "other", "answer"}

BLANK = np.zeros((60, 60, 3), np.uint8)


def settled(server):
    """The metrics of an idle server: Triton counts an execution shortly after it has answered."""
    latest = None
    while True:
        metrics = scrape(server.metrics_url)
        before, latest = latest, metrics.by("nv_inference_count", "model")
        if latest == before:
            return metrics
        time.sleep(0.2)


def growth(server, work):
    before = settled(server)
    work()
    return settled(server).since(before)


def test_images_faces_and_batches(triton, client, grpc_client):
    def work():
        client.detect(astronaut())
        client.detect(BLANK)
        client.detect(wall(960, 540))
        pair = np.stack([astronaut(), np.zeros((512, 512, 3), np.uint8)])
        grpc_client.infer("mtcnn", [tensor("image", pair)], outputs=outputs())

    grown = growth(triton, work)
    assert grown.total("mtcnn_batch_images_count") == 4
    assert grown.total("mtcnn_batch_images_sum") == 5
    assert grown.total("mtcnn_batch_images_bucket", le="1") == 3
    assert grown.total("mtcnn_batch_images_bucket", le="2") == 4
    assert grown.total("mtcnn_image_faces_count") == 5
    assert grown.total("mtcnn_image_faces_bucket", le="0") == 2
    assert grown.total("mtcnn_image_faces_bucket", le="1") == 4
    faces = grown.total("mtcnn_image_faces_sum")
    assert faces > 5
    left = grown.by("mtcnn_candidates_total", "stage")
    assert left["pnet"] > left["rnet"] > left["onet"] == faces
    rows = grown.by("mtcnn_rows_total", "network")
    # What one stage leaves the next one looks at, but for boxes beside the image.
    assert left["pnet"] == pytest.approx(rows["rnet"], rel=0.02)
    assert left["rnet"] == pytest.approx(rows["onet"], rel=0.02)
    assert grown.total("mtcnn_candidates_dropped_total") == 0


def test_stages_are_histograms_of_every_execution(triton, client):
    grown = growth(triton, lambda: [client.detect(astronaut()) for _ in range(3)])
    assert grown.by("mtcnn_stage_seconds_count", "stage") == dict.fromkeys(STAGES, 3)
    buckets = {}
    for (name, labels), value in grown.samples.items():
        if name == "mtcnn_stage_seconds_bucket":
            buckets.setdefault(dict(labels)["stage"], []).append((float(dict(labels)["le"]), value))
    for stage in STAGES:
        counts = [count for _, count in sorted(buckets[stage])]
        assert counts == sorted(counts)
        assert sorted(buckets[stage])[-1] == (float("inf"), 3)
    seconds = grown.by("mtcnn_stage_seconds_sum", "stage")
    assert all(value > 0 for value in seconds.values())
    # Triton's own clock on the same three executions, which copies the answers too.
    assert sum(seconds.values()) < grown.total("nv_inference_compute_infer_duration_us", model="mtcnn") / 1e6


def test_rows_are_those_that_the_networks_see(bls):
    """Where they are models of their own, and Triton counts them too."""

    def work():
        with FaceClient(bls.grpc_url, timeout=120) as client:
            list(client.detect_batch([astronaut(), BLANK, wall(960, 540)], in_flight=3))

    grown = growth(bls, work)
    rows = grown.by("mtcnn_rows_total", "network")
    inferences = grown.by("nv_inference_count", "model")
    assert all(rows.values())
    assert rows == {network: inferences[network] for network in ("pnet", "rnet", "onet")}


def test_recognised_faces(triton, client):
    grown = growth(triton, lambda: [client.recognize(astronaut()), client.recognize(BLANK)])
    assert grown.total("face_embeddings_batch_faces_sum") == 1
    assert grown.total("face_embeddings_batch_faces_count") == 2
    assert grown.total("face_embeddings_batch_faces_bucket", le="0") == 1


def test_refusals_by_reason(triton, client, grpc_client):
    def refused(inputs, parameters=None, *names):
        with pytest.raises(InferenceServerException):
            grpc_client.infer("mtcnn", inputs, outputs=outputs(*names), parameters=parameters)

    def work():
        with pytest.raises(InvalidInput):
            client.detect(BLANK, min_face_size=1)
        refused([encoded_image(b"no picture")])
        refused([encoded_image((DATA / "astronaut.png").read_bytes()[:5000])])
        refused([raw_image(np.zeros((8000, 7000, 3), np.uint8))])
        refused([raw_image(BLANK), encoded_image(b"x")])
        everything = {"threshold_pnet": 0.1, "threshold_rnet": 0, "threshold_onet": 0, "image_size": 1024}
        refused([raw_image(astronaut())], everything, "faces")

    grown = growth(triton, work).by("mtcnn_refused_requests_total", "reason")
    assert {reason: count for reason, count in grown.items() if count} == {
        "parameter": 1,
        "image": 2,
        "too_large": 1,
        "input": 1,
        "answer_too_large": 1,
    }
    assert {"network", "memory", "cancelled"} <= grown.keys()


def test_a_picture_that_is_refused_here_already_never_counts(triton, client):
    def work():
        with pytest.raises(InvalidImage):
            client.detect(b"no picture")

    assert growth(triton, work).total("mtcnn_refused_requests_total") == 0


def test_processes_of_both_instances_are_told_apart(triton):
    metrics = scrape(triton.metrics_url)
    started = metrics.by("faces_worker_start_time_seconds", "worker")
    resident = metrics.by("faces_worker_resident_bytes", "worker")
    assert started.keys() == resident.keys()
    models = Counter(worker.rpartition("_")[0].rstrip("_0123456789") for worker in started)
    assert models == {"mtcnn": 2, "face_embeddings": 2}
    assert all(10e6 < size < 4e9 for size in resident.values())


def test_both_instances_add_to_the_same_counters(triton, client):
    grown = growth(triton, lambda: list(client.detect_batch([astronaut()] * 12, in_flight=4)))
    assert grown.total("mtcnn_image_faces_sum") == 12
    assert grown.total("mtcnn_batch_images_sum") == grown.total("nv_inference_count", model="mtcnn") == 12


# The supervisor has a port of its own; see test_prometheus.
_SUPERVISOR = {name for name, _ in parse(Health(good_for=1).metrics()).samples}


def test_what_dashboard_and_alerts_name_is_served(triton):
    served = {name for name, _ in scrape(triton.metrics_url).samples}
    asked = {name for _, text in (*dashboard_expressions("1m"), *alert_expressions()) for name in metrics_of(text)}
    missing = asked - served - _SUPERVISOR - {"up"}
    assert not [name for name in missing if not name.startswith("nv_gpu_")]


def test_the_guide_names_every_metric_of_ours(triton):
    names = {re.sub("_(bucket|sum|count)$", "", name) for name, _ in scrape(triton.metrics_url).samples}
    ours = {name for name in names if not name.startswith("nv_")}
    # See test_identification for those of a gallery, which this server has none of.
    documented = {name for name in documented_metrics() if not name.startswith(("nv_", "face_names_"))}
    assert ours | _SUPERVISOR == documented
