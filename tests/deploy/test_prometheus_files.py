"""Prometheus' configuration and alerts, with Prometheus' own tool."""

import re
import shutil
import subprocess

import pytest
import yaml

from tests.deploy.expressions import GPU, PROMETHEUS, alert_expressions, alerts, metrics_of

promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="no promtool here: apt-get install --no-install-recommends prometheus"
)


def run(*arguments):
    answer = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@promtool
def test_promtool_accepts_the_configuration_and_its_rules():
    assert f"{len(alerts())} rules found" in run("check", "config", "prometheus.yml")


@pytest.mark.slow
@promtool
def test_alerts_fire_when_they_should_and_not_before():
    assert "SUCCESS" in run("test", "rules", "alerts_test.yml")


@promtool
def test_records_that_replicas_are_counted_by_are_what_they_should_be():
    assert "2 rules found" in run("check", "rules", "scaling.yml")
    assert "SUCCESS" in run("test", "rules", "scaling_test.yml")


def test_every_alert_has_a_test_that_lets_it_fire():
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_alerts_say_what_is_wrong_where_and_how_badly(name):
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.search(r"{{ \$labels\.(instance|worker|gpu_uuid) }}", str(rule["annotations"]))
    assert rule["annotations"]["description"].endswith(".")


def test_what_is_compared_is_what_remains():
    assert dict(alert_expressions())["ServerDown"] == 'up{job="triton"}'
    assert not [text for _, text in alert_expressions() if re.search(r"\s(==|>|<)\s", text)]


def test_names_of_metrics_are_found():
    text = 'sum(rate(nv_a_total{model="nv_b", x=~"up"}[5m])) / on (instance) faces_c_bytes'
    assert metrics_of(text) == {"nv_a_total", "faces_c_bytes"}
    assert metrics_of("up == 0") == {"up"}
    assert GPU.search("nv_gpu_utilization")
