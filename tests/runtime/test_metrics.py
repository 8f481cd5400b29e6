"""Families of metrics."""

import time

import pytest

from face_runtime.metrics import Counter, Gauge, Histogram, ProcessMetrics
from tests.runtime.stand_in import METRICS


def test_a_counter_is_there_from_the_start_and_adds_up():
    counter = Counter("c", "what", "reason", ("a", "b"))
    assert METRICS == {("c", "a"): [0], ("c", "b"): [0]}
    counter.add(2, "a")
    counter.add(3, "a")
    counter.add(0, "new")
    counter.add(1, "other")
    assert METRICS == {("c", "a"): [5], ("c", "b"): [0], ("c", "other"): [1]}


def test_without_a_label():
    Counter("c", "what").add(1)
    Gauge("g", "what").set(7)
    assert METRICS == {("c", ""): [1], ("g", ""): [7]}


def test_two_instances_add_to_one_counter():
    for _ in range(2):
        Counter("c", "what", "reason", ("a",)).add(1, "a")
    assert METRICS == {("c", "a"): [2]}


def test_a_histogram_has_its_buckets():
    histogram = Histogram("h", "what", (1, 2, 4), "stage", ("x",))
    assert METRICS == {("h", "x"): []}
    histogram.observe(3, "x")
    histogram.observe(5, "y")
    assert METRICS == {("h", "x"): [3], ("h", "y"): [5]}
    with pytest.raises(AssertionError):
        Histogram("h2", "what", (2, 1))


def test_the_process_tells_its_start_and_its_memory():
    process = ProcessMetrics("mtcnn_0_0")
    (started,) = METRICS["faces_worker_start_time_seconds", "mtcnn_0_0"]
    assert abs(started - time.time()) < 60
    (resident,) = METRICS["faces_worker_resident_bytes", "mtcnn_0_0"]
    assert 1e6 < resident < 1e11
    METRICS["faces_worker_resident_bytes", "mtcnn_0_0"].clear()
    process.update()
    assert not METRICS["faces_worker_resident_bytes", "mtcnn_0_0"], "read again within a second"
