"""Prometheus text to counters, and their growth."""

import math

import pytest

from face_bench import BenchError
from face_bench.metrics import Metrics, parse, scrape

TEXT = r"""
# HELP mtcnn_stage_seconds Seconds on the clock
# TYPE mtcnn_stage_seconds histogram
mtcnn_stage_seconds_sum{model="mtcnn",stage="pnet",version="1"} 1.5
mtcnn_stage_seconds_sum{model="mtcnn",stage="rnet",version="1"} 2.5e-1
mtcnn_stage_seconds_sum{model="mtcnn",stage="pnet",version="2"} 0.5
mtcnn_candidates_dropped_total{model="mtcnn",version="1"} 12
up 1 1700000000000
odd{text="a \"b\" \\ {c},d=\"e\"",empty=""} +Inf
"""


def test_samples_are_read_with_their_labels():
    metrics = parse(TEXT)
    assert metrics.total("mtcnn_stage_seconds_sum", stage="pnet", version="1") == 1.5
    assert metrics.total("mtcnn_stage_seconds_sum", stage="rnet") == 0.25
    assert metrics.total("up") == 1
    assert metrics.total("odd", text=r'a "b" \ {c},d="e"') == math.inf
    assert len(metrics.samples) == 6


def test_labels_that_are_not_asked_for_are_summed_over():
    metrics = parse(TEXT)
    assert metrics.by("mtcnn_stage_seconds_sum", "stage") == {"pnet": 2.0, "rnet": 0.25}
    assert metrics.total("mtcnn_stage_seconds_sum") == 2.25


def test_what_is_absent_is_none_or_empty():
    metrics = parse(TEXT)
    assert metrics.total("mtcnn_rows_total") is None
    assert metrics.total("mtcnn_candidates_dropped_total", version="3") is None
    assert metrics.by("mtcnn_rows_total", "network") == {}
    assert metrics.by("mtcnn_candidates_dropped_total", "stage") == {}
    assert parse("") == Metrics({})


def test_growth_counts_new_series_from_zero():
    before = parse('rows{network="pnet"} 3')
    after = parse('rows{network="pnet"} 5\nrows{network="rnet"} 7')
    assert after.since(before).by("rows", "network") == {"pnet": 2, "rnet": 7}


def test_achieved_batch_is_inferences_by_executions():
    growth = parse(
        """# TYPE nv_inference_count counter
nv_inference_count{model="mtcnn"} 12
# TYPE nv_inference_exec_count counter
nv_inference_exec_count{model="mtcnn"} 3
nv_inference_count{model="pnet"} 0
nv_inference_exec_count{model="pnet"} 0"""
    )
    assert growth.batches() == {"mtcnn": 4}


def test_what_is_not_prometheus_text_is_told():
    with pytest.raises(ValueError, match="could not convert"):
        parse("not a sample")


def test_an_endpoint_with_something_else_is_told(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<html>not metrics</html>")
    with pytest.raises(BenchError, match=r"metrics cannot be read at file:.*page\.html"):
        scrape(page.as_uri())
