"""The command `face_scaling`, and what it writes."""

import json

import pytest

from face_bench.output import markdown
from face_scaling.chart import HPA, Scaling
from face_scaling.command import main
from face_scaling.day import Cluster, Day
from face_scaling.fit import Simulated
from face_scaling.hpa import Policy, Rules
from face_scaling.plots import draw
from face_scaling.points import Point
from face_scaling.report import Compared, Minutes, ScalingReport, tables
from face_scaling.server import Server
from face_scaling.sweep import Setting, best, hindsight, row, rule
from face_scaling.traffic import day
from tests.load_tests.conftest import machine

SERVER = Server(
    instances=1, batch=1, queue=None, own_s=(0.0,), shared_s=(1.0,), batch_s=(0.0, 0.0), forms=(0,), start_s=10
)
RULES = Rules(300, (Policy("Pods", 1, 60),))
SCALING = Scaling(HPA, 2.0, (2, 8), Rules(0, RULES.policies), RULES, 15, 60, 10, 50)


@pytest.fixture
def report():
    """Two hours, a request a second each replica."""
    hours = 13, 15
    rates = day(SERVER.capacity)[hours[0] * 3600 : hours[1] * 3600]
    setting = Setting(SERVER, SCALING, Cluster(20), rates, callers=8, retries=False, seed=1)
    rows = [rule(setting, numbers) for numbers in ((1.0, 300.0), (1.0, 900.0), (4.0, 300.0))]
    outcome = setting.run()
    point = Point(False, 8, None, 20.0, 1, 2, 3, 4, 0.1, 1.0, 0.0, 1.9, float("nan"))
    return ScalingReport(
        machine=machine(),
        profile="cpu",
        source="made up",
        assumed="",
        scaling=SCALING,
        hours=hours,
        capacity=SERVER.capacity,
        compared=[Compared(point, Simulated(21.0, 1, 2, 3, 0.1, 0.0))],
        chart=row(outcome, SCALING.target, RULES.window_s),
        rows=rows,
        hindsight=hindsight(setting, 0.7),
        suggested=best(rows),
        day=Minutes.of(outcome),
        day_in_hindsight=Minutes.of(Day(SERVER, SCALING, Cluster(20), rates).run()),
    )


@pytest.mark.slow
def test_a_report_has_every_rule_beside_hindsight_and_a_picture(report, tmp_path):
    assert len(report.day.due) == len(report.day.pods) == 120
    rules, validation = tables(report)
    assert [cells[0] for cells in rules.rows] == ["hindsight", "the chart's", "1, 300 s", "1, 900 s", "4, 300 s"]
    assert rules.rows[0][9] == "1.00"
    assert validation.rows == (
        ("8 clients", "20.0 / 21.0", "1 / 1", "2 / 2", "3 / 3", "0.10 / 0.10", "0.0 / 0.0", "–"),
    )
    text = markdown(report.text, tables(report))
    assert f"target {report.suggested.target:g}" in text
    draw(report, tmp_path / "day.png")
    assert (tmp_path / "day.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "--hours", "15-13"], "15-13 is no part of a day"),
        (["simulate", "--targets", "0,1"], "argument --targets"),
        (["simulate", "--profile", "tpu"], "invalid choice: 'tpu'"),
        (["replay"], "invalid choice: 'replay'"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, said, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


def test_a_file_that_has_no_points_is_said_by_its_name(tmp_path, capsys):
    file = tmp_path / "points.json"
    file.write_text(json.dumps({"source": "here"}))
    assert main(["simulate", "--measured", str(file), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"simulate: {file} has no measurement")
