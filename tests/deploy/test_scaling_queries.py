"""What KEDA and prometheus-adapter ask Prometheus, as the rendered chart has it, put to Prometheus' own tool."""

import re
import shutil
import subprocess

import pytest
import yaml

from tests.deploy.charts import render
from tests.deploy.expressions import PROMETHEUS

pytestmark = pytest.mark.skipif(
    not shutil.which("promtool"), reason="no promtool here: apt-get install --no-install-recommends prometheus"
)

OURS = ("faces-5d5b6c7f9-x2x4z", "faces-5d5b6c7f9-b8k2p")
# Another release in the same namespace; the same release in another one.
OTHERS = ("faces-gpu-5d5b6c7f9-x2x4z", "photos"), ("faces-5d5b6c7f9-q7w9r", "elsewhere")


def waiting(pod, namespace, values):
    return {
        "series": f'nv_inference_pending_request_count{{model="mtcnn", namespace="{namespace}", pod="{pod}"}}',
        "values": values,
    }


def ask(folder, query, expected, ours=("3x20", "5x20")):
    """Fails unless Prometheus answers a query with these samples, (labels, value), after four minutes."""
    series = [waiting(pod, "photos", values) for pod, values in zip(OURS, ours, strict=True)]
    series += [waiting(pod, namespace, "90x20") for pod, namespace in OTHERS]
    test = {
        "rule_files": [str(PROMETHEUS / "scaling.yml")],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": query,
                        "eval_time": "4m",
                        "exp_samples": [{"labels": labels, "value": value} for labels, value in expected],
                    }
                ],
            }
        ],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(test))
    answer = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def keda_query():
    (trigger,) = render({"autoscaling": {"by": "keda"}})["ScaledObject", "faces"]["spec"]["triggers"]
    return trigger["metadata"]["query"]


def adapter_rule():
    config = render({"autoscaling": {"by": "hpa"}})["ConfigMap", "faces-adapter"]["data"]["config.yaml"]
    (rule,) = yaml.safe_load(config)["rules"]
    return rule


def adapter_query(pods):
    """The adapter's template, filled in as it does for pods of a namespace."""
    rule = adapter_rule()
    series = re.match(r"[^{]+", rule["seriesQuery"])[0]
    filled = {
        "<<.Series>>": series,
        "<<.LabelMatchers>>": f'namespace="photos",pod=~"{"|".join(pods)}"',
        "<<.GroupBy>>": "pod",
    }
    query = rule["metricsQuery"]
    for placeholder, text in filled.items():
        query = query.replace(placeholder, text)
    assert "<<" not in query
    return query


def test_keda_gets_the_sum_of_this_release_alone(tmp_path):
    ask(tmp_path, keda_query(), [("{}", 8)])


def test_keda_does_not_miss_who_is_gone(tmp_path):
    ask(tmp_path, keda_query(), [("{}", 3)], ours=("3x20", "5x6 stale"))


def test_keda_hears_nothing_rather_than_nought_where_nobody_is_there(tmp_path):
    ask(tmp_path, keda_query(), [], ours=("_x20", "_x20"))


def test_the_adapter_gets_what_the_rule_says_of_each_pod(tmp_path):
    ask(tmp_path, adapter_query(OURS), [(f'{{pod="{OURS[0]}"}}', 3), (f'{{pod="{OURS[1]}"}}', 5)])


def test_the_adapter_finds_no_number_for_a_pod_that_has_told_none(tmp_path):
    ask(tmp_path, adapter_query(OURS), [(f'{{pod="{OURS[0]}"}}', 3)], ours=("3x20", "_x20"))


def test_the_adapter_asks_for_the_series_that_is_there(tmp_path):
    """`seriesQuery` is what it discovers pods by."""
    ask(tmp_path, f"count({adapter_rule()['seriesQuery']})", [("{}", 4)])
