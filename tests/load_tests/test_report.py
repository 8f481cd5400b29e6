"""The report as JSON, tables and markdown."""

import json

import pytest

from face_bench.latency import ratios
from face_bench.output import FORMAT, to_json
from face_bench.peers import PeerStatus
from face_bench.report import in_markdown, tables

PARTS = {
    "machine",
    "settings",
    "peers",
    "latency",
    "more",
    "crowds",
    "ratios",
    "agreement",
    "floor",
    "stages",
    "other_detectors",
    "alternatives",
    "sweep",
    "peer_rates",
    "memory",
}


def test_json_has_every_part(report):
    read = json.loads(to_json(report))
    assert read["format"] == FORMAT
    assert read.keys() >= PARTS
    assert read["latency"][0]["milliseconds"]["median"] == 50
    assert read["stages"][0]["stages"]["transport"] == 15
    assert read["memory"]["slope_mb_per_1000_requests"] == -0.5


def test_json_has_no_numbers_that_json_does_not_know(report):
    read = json.loads(to_json(report), parse_constant=pytest.fail)
    assert read["sweep"][0]["p99_ms"] is None


def test_ratios_are_the_peers_time_by_ours(report):
    assert {(r.ours, r.peer): r.ratio for r in ratios(report.latency, ("ours, raw", "ours, JPEG"))} == {
        ("ours, raw", "facenet-pytorch"): 4,
        ("ours, JPEG", "facenet-pytorch"): pytest.approx(200 / 55),
    }


def test_every_table_is_rectangular(report):
    made = tables(report)
    assert len(made) == 11
    for table in made:
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title


def test_markdown_has_every_table(report):
    text = in_markdown(report)
    for table in tables(report):
        assert f"## {table.title}\n" in text
    assert "Some CPU · 2 cores" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith(" |") for line in lines)
    assert sum(line.startswith("| ---") for line in lines) == 11


def test_crowds_are_in_seconds_with_their_ratios(report):
    text = in_markdown(report)
    assert "| crowd | facenet-pytorch | 10 | 19.25 | 1.93 | 11.0 |  |" in text
    assert "15 rounds after 3 of warm-up; 5 of other pictures and detectors; 3 of the crowds; interleaved" in text


def test_other_pictures_have_their_ratios(report):
    assert "| page | facenet-pytorch | 1000.0 | 100.0 | 1.0 | 10 | 5.00 |  |" in in_markdown(report)


def test_other_detectors_are_called_so(report):
    text = in_markdown(report)
    assert "| wall 960x540 | BlazeFace | 10.0 | 1.0 | 0.20 | 10 | 4 | 1 |" in text
    assert "These are other detectors: trained on other pictures" in text
    assert "CenterFace was not measured: no wheel" in text


def test_a_peer_that_fell_out_later_is_told(report):
    report.peers[0] = PeerStatus("facenet-pytorch", {}, "its process ended")
    assert "facenet-pytorch fell out later: its process ended" in in_markdown(report)


def test_a_missing_peer_is_named_with_its_reason(report):
    assert "ipazc mtcnn was not measured: no | network" in in_markdown(report)


def test_a_busy_machine_is_told(report):
    assert "used 0.50 cores meanwhile: measure again when it is quiet" in in_markdown(report)


def test_faces_of_one_side_are_listed(report):
    assert "ours, raw: 21x22 at 10,20, p 0.710" in in_markdown(report)


def test_floor_without_candidates_says_so(report):
    assert "does not count candidates" in in_markdown(report)


def test_parts_that_were_not_run_are_left_out(empty_report):
    assert tables(empty_report) == []
    assert "##" not in in_markdown(empty_report)
    assert json.loads(to_json(empty_report))["memory"] is None
