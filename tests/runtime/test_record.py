"""What a record of an execution holds, with a flow that needs no networks."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from face_cascade import PNET, RNET, Call, Detection, Together, drive
from face_runtime.record import Record
from face_runtime.spans import OTHER


def part(network, rows):
    yield Call(network, np.zeros((rows, 1), np.float32))


def flow(seconds):
    yield Together("pnet", [part(PNET, 2), part(PNET, 3)])
    time.sleep(seconds)
    yield Together("rnet", [part(RNET, 7)])
    yield Together("pnet", [part(PNET, 1)])
    return "done"


def slow(_call):
    time.sleep(0.01)
    return ()


def test_stages_and_calls_are_counted_and_the_result_comes_through():
    record = Record()
    before = time.time_ns()
    with ThreadPoolExecutor(2) as pool:
        assert drive(record.stages(flow(0.02)), record.calls(slow), pool.map) == "done"
    assert record.rows == {"pnet": 6, "rnet": 7}
    assert record.work_seconds["pnet"] >= 0.03
    seconds = record.stage_seconds
    assert seconds.keys() == {"pnet", "rnet", OTHER}
    assert seconds["pnet"] >= 0.02
    assert seconds["rnet"] >= 0.01
    assert seconds[OTHER] >= 0.02
    assert sum(seconds.values()) <= (time.time_ns() - before) / 1e9


def test_what_a_caller_is_told_of_the_time():
    record = Record()
    record.stage_times = [("pnet", 0, 1_000_400), ("nms", 5, 5), ("pnet", 2_000_000, 2_000_300)]
    record.faces = [3, 0]
    assert record.timing == {"pnet": 0.001001, "nms": 0, "images": 2}


def test_stage_times_follow_each_other_on_the_clock_of_the_day():
    record = Record()
    before = time.time_ns()
    drive(record.stages(flow(0)), record.calls(slow))
    after = time.time_ns()
    assert [name for name, _, _ in record.stage_times] == [OTHER, "pnet", OTHER, "rnet", OTHER, "pnet", OTHER]
    edges = [edge for _, start, end in record.stage_times for edge in (start, end)]
    assert edges == sorted(edges)
    # The two clocks are read one after the other.
    assert before - 1e6 < edges[0] <= edges[-1] < after + 1e6


def test_a_stage_that_fails_is_timed_too():
    record = Record()
    with pytest.raises(ZeroDivisionError), record.stage("decode"):
        _ = 1 / 0
    assert record.stage_seconds.keys() == {"decode"}


def test_what_was_found_is_summed_over_images():
    def detection(faces, dropped, *stages):
        counts = dict(zip(("pnet", "rnet", "onet"), stages, strict=True))
        return Detection(
            np.zeros((faces, 4)), np.zeros(faces), np.zeros((faces, 5, 2)), np.zeros(faces), dropped, counts
        )

    record = Record()
    record.found([detection(1, 0, 9, 3, 1), detection(0, 5, 2, 0, 0)])
    record.found([detection(2, 1, 4, 4, 4)])
    assert record.faces == [1, 0, 2]
    assert record.images == 3
    assert record.dropped == 6
    assert record.candidates == {"pnet": 15, "rnet": 7, "onet": 5}


def test_nothing_done_is_nothing_counted():
    record = Record()
    assert (record.images, record.dropped, record.stage_seconds) == (0, 0, {})
