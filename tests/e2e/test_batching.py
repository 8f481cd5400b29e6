"""The answer for an image is the same alone, in a request with others, and among concurrent requests."""

import numpy as np
import pytest
import tritonclient.grpc as grpc

from face_bench.metrics import scrape
from face_cascade import Limits
from face_client import FaceClient
from tests.e2e.conftest import at_work
from tests.e2e.requests import counts, outputs, tensor
from tests.pictures import astronaut, mixed_sizes, wall


def assert_same(faces, expected):
    assert len(faces) == len(expected)
    # Batches of other sizes may take other kernels: the last bits differ, no more.
    np.testing.assert_allclose(faces.boxes, expected.boxes, atol=1e-2)
    np.testing.assert_allclose(faces.landmarks, expected.landmarks, atol=1e-2)
    np.testing.assert_allclose(faces.probabilities, expected.probabilities, atol=1e-5)


def test_32_concurrent_requests_of_mixed_sizes(client):
    pictures = mixed_sizes(32)
    alone = [client.detect(picture) for picture in pictures]
    assert sum(map(len, alone)) > 10
    together = list(client.detect_batch(pictures, in_flight=32))
    for faces, expected in zip(together, alone, strict=True):
        assert_same(faces, expected)


def test_a_request_with_several_images(client, grpc_client):
    pictures = [astronaut(), np.zeros((512, 512, 3), np.uint8), wall()[:512, 512:1024]]
    answer = grpc_client.infer("mtcnn", [tensor("image", np.stack(pictures))], outputs=outputs())
    alone = [client.detect(picture) for picture in pictures]
    counted = [len(faces) for faces in alone]
    assert answer.as_numpy("num_faces").ravel().tolist() == counted
    assert counted[1] == 0
    assert answer.as_numpy("boxes").shape == (3, max(counted), 4)
    for n, (boxes, faces) in enumerate(zip(answer.as_numpy("boxes"), alone, strict=True)):
        np.testing.assert_allclose(boxes[: counted[n]], faces.boxes, atol=1e-2)
        assert not boxes[counted[n] :].any()


@pytest.fixture(scope="module")
def bls_client(bls):
    with FaceClient(bls.grpc_url, timeout=120) as client:
        yield client


def test_mixed_requests_meet_in_one_execution_and_in_the_networks_batches(bls, bls_client, large_picture, instances):
    def work(do):
        with grpc.InferenceServerClient(bls.grpc_url) as statistics:
            before = {model: counts(statistics, model) for model in ("mtcnn", "pnet", "rnet", "onet")}
            do()
            return {model: counts(statistics, model) - before[model] for model in before}

    def eight_beside_large_ones():
        with at_work(bls_client, large_picture, instances):
            list(bls_client.detect_batch(mixed_sizes(8), in_flight=8))

    of_large_one = work(lambda: bls_client.detect(large_picture))
    of_all = work(eight_beside_large_ones)
    done = {model: of_all[model] - instances * of_large_one[model] for model in of_all}
    assert done["mtcnn"].tolist() == [8, 1]
    assert any("mtcnn: executed requests=8 images=8 " in line for line in bls.log_lines)
    tiles, runs = done["pnet"]
    # One run for each shape of tile, with the tiles of all images.
    assert tiles > 8
    assert runs == 3
    for model in ("rnet", "onet"):
        crops, runs = done[model]
        assert crops > 20
        assert runs == 1


def test_mixed_requests_meet_in_one_execution_where_the_networks_are_the_cascades_own(triton, client, busy):
    with busy():
        list(client.detect_batch(mixed_sizes(8), in_flight=8))
    assert any("mtcnn: executed requests=8 images=8 " in line for line in triton.log_lines)


def test_limits_are_what_the_networks_take(grpc_client):
    limits = Limits()
    networks = ("pnet", limits.pnet), ("rnet", limits.rnet), ("onet", limits.onet), ("facenet", limits.facenet)
    for model, rows in networks:
        assert grpc_client.get_model_config(model).config.max_batch_size == rows


def test_networks_in_the_cascades_process_give_the_same_faces(client, bls_client):
    pictures = [*mixed_sizes(6), wall(960, 540)]
    for faces, expected in zip(client.detect_batch(pictures), bls_client.detect_batch(pictures), strict=True):
        assert_same(faces, expected)


def test_many_large_images_at_once_are_taken_in_turns(client):
    """Sixteen times 24 megapixels together would take 5 GB; and the answers stay the same."""
    large = np.zeros((4000, 6000, 3), np.uint8)
    large[:1080, :1920] = wall()
    alone = client.detect(large, min_face_size=60)
    for faces in client.detect_batch([large] * 6, in_flight=6, min_face_size=60):
        assert_same(faces, alone)


def test_where_the_time_goes_is_on_the_metrics_port(triton, client):
    client.detect(wall(960, 540))
    metrics = scrape(triton.metrics_url)
    for stage in ("decode", "integral", "pnet", "nms", "rnet", "onet", "answer"):
        assert metrics.total("mtcnn_stage_seconds_sum", stage=stage) > 0, stage
    for network in ("pnet", "rnet", "onet"):
        assert metrics.total("mtcnn_rows_total", network=network) > 0, network
