"""Reports of load, saturation and soak: verdicts, tables, documents, plots."""

import dataclasses
import json

import pytest
from PIL import Image

from face_bench.output import FORMAT
from face_bench.processes import ProcessUse, ServerState, ServerUse
from face_load import load as load_verb
from face_load import saturation_report, soak_report
from face_load.load import LoadReport
from face_load.plots import draw_saturation, draw_soak
from face_load.report import write
from face_load.samples import Sample, by_request, summarise
from face_load.saturation_report import Overload, SaturationReport, Step
from face_load.soak_report import SoakReport, SoakSample, Supervised, trends
from tests.load_tests.conftest import machine

USE = ServerUse(1.9, 0.02, {"mtcnn": 1.25, "face_embeddings": 1.0})


def samples(outcomes):
    return [Sample(n / 10, 0.5, 100.0 + n, "mtcnn raw 64x64", outcome) for n, outcome in enumerate(outcomes)]


def load():
    sent = samples(["good"] * 8 + ["UNAVAILABLE"])
    return LoadReport(machine(), "2 users", ("mtcnn",), summarise(sent, 0, 1), by_request(sent, 0, 1), USE, 0.1)


def saturation():
    low, high = summarise(samples(["good"] * 9), 0, 1), summarise(samples(["good", "UNAVAILABLE"] * 9), 0, 2)
    steps = [Step(9, low, USE, 0.1, True), Step(27, high, USE, 0.1, False)]
    return SaturationReport(machine(), ("mtcnn",), (), 500, 1, 9, steps, Overload(27, high, 9, low.good.p95))


def process(name, pid, rss, files=5):
    return ProcessUse(name, pid, 1000.0 + pid, rss, rss // 2, files)


def soak(grows=0, outcomes=("good", "refused"), supervised=(0, 0, 0), pid=7):
    seen = [
        SoakSample(
            5.0 * n,
            ServerState((process("tritonserver", 1, 10**9 + n * grows), process("mtcnn_0_0", at, 10**8)), 10**8),
        )
        for n, at in enumerate([7] * 20 + [pid])
    ]
    sent = samples(outcomes)
    parts = [summarise(sent, 0, 50), summarise(sent, 50, 100)]
    return SoakReport(
        machine(), ("mtcnn",), "4 users", summarise(sent, 0, 100), parts, Supervised(*supervised), seen, trends(seen)
    )


@pytest.mark.parametrize(
    ("tables", "report"),
    [(load_verb.tables, load()), (saturation_report.tables, saturation()), (soak_report.tables, soak())],
    ids=["load", "saturation", "soak"],
)
def test_every_table_is_rectangular(tables, report):
    made = tables(report)
    assert len(made) >= 2
    for table in made:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title


def test_a_load_has_throughput_latency_errors_and_batches(tmp_path):
    report = load()
    write("Load test", report, [report.load], load_verb.tables(report), tmp_path / "summary")
    read = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert read["format"] == FORMAT
    assert read["summary"]["goodput"] == 8
    assert read["summary"]["errors"] == {"UNAVAILABLE": 1}
    assert read["use"]["batch"] == {"mtcnn": 1.25, "face_embeddings": 1.0}
    text = (tmp_path / "summary.md").read_text()
    assert "| images an execution, mtcnn | 1.25 |" in text
    assert "| errors | 1 UNAVAILABLE |" in text
    assert "Some CPU · 2 cores" in text


def test_a_saturation_says_what_is_sustained_and_whether_overload_is():
    report = saturation()
    assert "9.0 requests a second are sustained" in report.text[0]
    assert "the server does not hold" in report.text[0]
    overload, rates = saturation_report.tables(report)
    assert [row[-1] for row in overload.rows] == ["no", "yes", "no"]
    assert [row[0] for row in rates.rows] == ["9.0", "27.0"]
    # At the lower rate nothing was rejected.
    assert [row[6] for row in rates.rows] == ["–", "116"]


def test_of_two_tries_the_better_one_counts():
    slow = dataclasses.replace(saturation().steps[0], sustained=False, summary=summarise(samples(["good"] * 90), 0, 9))
    slower = dataclasses.replace(slow, summary=summarise([Sample(0, 0, 9000, "", "good")], 0, 1))
    good = dataclasses.replace(slower, sustained=True)
    for worse, better in ((slower, slow), (slow, good), (slower, good)):
        assert saturation_report.better(worse, better) is saturation_report.better(better, worse) is better


def test_a_busy_machine_is_told():
    report = saturation()
    assert "others" not in report.text[-1]
    busy = [dataclasses.replace(step, use=dataclasses.replace(USE, other_cores=0.7)) for step in report.steps]
    busy_report = dataclasses.replace(report, steps=busy)
    assert "0.70 cores" in busy_report.text[-1]


def test_a_good_soak():
    report = soak()
    assert report.is_well
    assert "No error, no restart, no slope" in report.text[0]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"outcomes": ["good", "INTERNAL"]}, {"errors"}),
        ({"supervised": (1, 0, 0)}, {"canaries failed"}),
        ({"supervised": (0, 2, 0)}, {"instances replaced"}),
        ({"supervised": (0, 0, 1)}, {"restarts of the server"}),
        ({"pid": 8}, {"processes started meanwhile"}),
        ({"grows": 10**7}, {"growth of memory (PSS)"}),
    ],
)
def test_what_is_wrong_with_a_soak_is_named(changes, wrong):
    report = soak(**changes)
    assert not report.is_well
    assert {what for what, _, well in report.checks if not well} == wrong
    assert all(name in report.text[0] for name in wrong)


@pytest.mark.slow
def test_plots_are_pictures(tmp_path):
    draw_saturation(saturation(), tmp_path / "saturation.png")
    draw_soak(soak(), tmp_path / "soak.png")
    assert Image.open(tmp_path / "saturation.png").width > Image.open(tmp_path / "saturation.png").height
    assert Image.open(tmp_path / "soak.png").height > 1000
