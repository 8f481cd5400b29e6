"""The breakdown from counters."""

import numpy as np
import pytest

from face_bench.contenders import OURS_RAW, FoundFaces, Measured
from face_bench.floor import floors
from face_bench.latency import Measurements, summarise
from face_bench.metrics import Metrics, parse
from face_bench.pictures import Picture
from face_bench.stages import break_down

NOTHING = FoundFaces.of([], [], [])
PIXELS = np.zeros((60, 80, 3), np.uint8)
PICTURE = Picture("black", PIXELS, b"", PIXELS)


def measured(seconds, text=""):
    return Measured(seconds, NOTHING, parse(text))


def measurements(*series):
    return Measurements({(PICTURE.name, OURS_RAW): list(series)})


def test_stages_are_medians_and_transport_is_the_rest():
    text = 'mtcnn_stage_seconds_sum{{stage="pnet"}} {}\nmtcnn_stage_seconds_sum{{stage="decode"}} 0.001'
    series = [measured(0.010, text.format(0.006)), measured(0.012, text.format(0.007)), measured(1, text.format(0.008))]
    (breakdown,) = break_down(measurements(*series), [PICTURE])
    assert breakdown.total_ms == pytest.approx(12)
    assert breakdown.stages == pytest.approx({"decode": 1, "pnet": 7, "transport": 4})
    assert list(breakdown.stages) == ["decode", "pnet", "transport"]


def test_stages_of_a_newer_server_come_along():
    text = 'mtcnn_stage_seconds_sum{stage="new"} 0.001\nmtcnn_stage_seconds_sum{stage="pnet"} 0.002'
    (breakdown,) = break_down(measurements(measured(0.004, text)), [PICTURE])
    assert breakdown.stages == pytest.approx({"pnet": 2, "new": 1, "transport": 1})


@pytest.mark.parametrize("counters", [None, Metrics({})])
def test_a_server_without_counters_has_no_breakdown(counters):
    (breakdown,) = break_down(measurements(Measured(0.004, NOTHING, counters)), [PICTURE])
    assert (breakdown.stages, breakdown.work, breakdown.rows) == ({}, {}, {})


def test_the_floor_is_flops_by_rate():
    series = measurements(measured(0.010, 'mtcnn_rows_total{network="rnet"} 100\nmtcnn_rows_total{network="onet"} 10'))
    latencies = summarise(series, [PICTURE], [OURS_RAW])
    (floor,) = floors(latencies, break_down(series, [PICTURE]), flops_per_second=1e11)
    gflop = floor.pnet_gflop + floor.rnet_gflop + floor.onet_gflop
    assert floor.floor_ms == pytest.approx(gflop * 10)
    assert floor.ours_over_floor == pytest.approx(10 / floor.floor_ms)
    assert (floor.rnet_candidates, floor.onet_candidates) == (100, 10)


def test_the_floor_without_counters_is_pnets_alone():
    series = measurements(measured(0.010))
    (floor,) = floors(summarise(series, [PICTURE], [OURS_RAW]), break_down(series, [PICTURE]), 1e11)
    assert floor.rnet_candidates is None
    assert floor.floor_ms == pytest.approx(floor.pnet_gflop * 10)
