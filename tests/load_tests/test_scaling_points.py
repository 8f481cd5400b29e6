"""What the simulation stands on: the chart's own numbers, measured points, and a model that meets them."""

import re
from pathlib import Path

import pytest
import yaml

from face_bench import BenchError
from face_bench.machine import CHECKOUT
from face_scaling.fit import closed_loop, open_loop, server
from face_scaling.points import CPU, GPU, Measurement, Point, load, save

DOCS = CHECKOUT / "docs"


def table(document: str, header: str) -> list[list[float | str]]:
    """The rows of a document's table below a header that begins so; numbers as numbers."""
    lines = (DOCS / document).read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(header)) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            return rows
        cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        rows.append([float(cell) if re.fullmatch(r"[\d.]+", cell) else cell for cell in cells])
    return rows


def test_points_of_the_gpu_are_those_of_the_documentation():
    rows = table("gpu.md", "| server | clients | images/s")
    first = rows.index(next(row for row in rows if row[0] == "`local`, decode `auto`, six instances"))
    told = [row for n, row in enumerate(rows) if n == first or (first < n < first + 5 and row[0] == "")]
    points = load(GPU).points
    assert [(p.clients, p.goodput, p.p50_ms, p.p95_ms, p.batch) for p in points] == [
        tuple(row[n] for n in (1, 2, 3, 4, 5)) for row in told
    ]
    assert [f"{100 * p.busy:.0f} %" for p in points] == [row[7] for row in told]
    assert "Ready in 10 to 14 s" in (DOCS / "gpu.md").read_text()
    assert load(GPU).start_s == 14


def test_points_of_the_cpu_are_those_of_the_documentation():
    points = load(CPU).points
    told = table("load-testing.md", "| clients | images/s")
    closed = [p for p in points if p.clients]
    assert [[p.clients, p.goodput, p.p50_ms, p.p95_ms, p.p99_ms] for p in closed] == [row[:5] for row in told]
    told = table("load-testing.md", "| requests a second |")
    rates = [float(re.match(r"[\d.]+", str(row[0]))[0]) for row in told]
    opened = [p for p in points if p.offered]
    assert [p.offered for p in opened] == rates
    assert [[p.goodput, p.p50_ms, p.p95_ms, p.p99_ms] for p in opened] == [row[1:5] for row in told]


@pytest.mark.slow
def test_the_model_meets_what_it_was_fitted_to():
    cpu = server(load(CPU), "cpu", bounded=False)
    for point in load(CPU).closed:
        simulated = closed_loop(cpu, point.clients)
        assert simulated.goodput == pytest.approx(point.goodput, rel=0.15)
        assert simulated.p50_ms == pytest.approx(point.p50_ms, rel=0.2)


@pytest.mark.slow
def test_the_model_meets_what_it_was_not_fitted_to():
    cpu = server(load(CPU), "cpu", bounded=True)
    assert (cpu.queue, cpu.batch, cpu.instances) == (8, 1, 2)
    points = [point for point in load(CPU).points if point.offered]
    for point in points:
        simulated = open_loop(cpu, point.offered, 600)
        assert simulated.goodput == pytest.approx(point.goodput, rel=0.1)
        assert simulated.refused == pytest.approx(point.refused, abs=0.03)
    overload = open_loop(cpu, points[-1].offered, 600)
    assert overload.p95_ms == pytest.approx(points[-1].p95_ms, rel=0.15)


@pytest.mark.slow
def test_the_chart_is_read_and_not_repeated():
    pytest.importorskip("helm_python", reason="no Helm here: pip install helm-python-sdk")
    from face_scaling.chart import CHART, HPA, KEDA, scaling

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    gpu = yaml.safe_load((CHART / "values-gpu.yaml").read_text())
    for profile, own in (("cpu", {}), ("gpu", gpu["autoscaling"])):
        wanted = {**values["autoscaling"], **own}
        for by in (HPA, KEDA):
            found = scaling(profile, by)
            assert found.target == wanted["pendingRequests"]
            assert found.down.window_s == wanted["scaleDownSeconds"]
            assert found.bounds == (wanted["minReplicas"], wanted["maxReplicas"])
            assert found.pre_stop_s == values["preStopSeconds"]
            assert found.scrape_s == float(values["monitoring"]["interval"].removesuffix("s"))
            assert found.average_s == 60
            assert [policy.value for policy in found.up.policies] == [100, 2]


def test_what_is_saved_is_read_again(tmp_path: Path):
    point = Point(True, None, 5.0, 5.0, 1, 2, 3, 4, 0.1, 1.0, 0.0, 1.9, 0.0, 0.5)
    measured = Measurement("here", 12.5, {"mtcnn raw x": 10.0}, [point, point])
    save(measured, tmp_path / "m.json")
    assert load(tmp_path / "m.json") == measured
    with pytest.raises(BenchError, match="has no measurement"):
        load(tmp_path / "none.json")


def test_of_several_runs_those_count_that_others_disturbed_least():
    runs = [
        Point(False, 8, None, rate, 1, 2, 3, 4, 5, 1, 0, 1.9, others, 0.5) for rate, others in ((9, 1), (20, 0), (5, 2))
    ]
    assert Point.quietest(runs).goodput == 20
