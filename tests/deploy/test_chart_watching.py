"""What the Helm chart has watched, and what it counts replicas by: the files of this repository."""

import json
import re
import tarfile

import yaml

from tests.deploy.charts import (
    CHART,
    METADATA,
    VALUES,
    WATCHED,
    helm,
    profiles,
    render,
    server,
)
from tests.deploy.expressions import DASHBOARD, PROMETHEUS, documented_metrics, metrics_of

RECORDS = [
    rule for group in yaml.safe_load((PROMETHEUS / "scaling.yml").read_text())["groups"] for rule in group["rules"]
]


def test_a_packed_chart_carries_the_files_of_this_repository(tmp_path):
    helm.package(str(CHART), destination=str(tmp_path))
    with tarfile.open(tmp_path / f"{METADATA['name']}-{METADATA['version']}.tgz") as packed:
        for source in (PROMETHEUS / "alerts.yml", PROMETHEUS / "scaling.yml", DASHBOARD):
            assert packed.extractfile(f"triton-faces/files/{source.name}").read() == source.read_bytes()


def test_rules_and_dashboard_are_those_of_the_files():
    objects = render(WATCHED)
    for name in ("alerts", "scaling"):
        rule = objects["PrometheusRule", f"faces-{name}"]
        assert rule["spec"] == yaml.safe_load((PROMETHEUS / f"{name}.yml").read_text())
        assert rule["metadata"]["labels"]["release"] == "stack"
    board = objects["ConfigMap", "faces-dashboard"]
    assert json.loads(board["data"]["faces.json"]) == json.loads(DASHBOARD.read_text())
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


@profiles
def test_jobs_are_those_of_prometheus_configuration(values):
    prometheus = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = [job["job_name"] for job in prometheus["scrape_configs"]]
    spec = render({**values, **WATCHED})["PodMonitor", "faces"]["spec"]
    endpoints = spec["podMetricsEndpoints"]
    named = [{each["targetLabel"]: each.get("replacement") for each in end["relabelings"]}["job"] for end in endpoints]
    # NVIDIA's container has no supervisor.
    assert named == (jobs if not values else ["triton"])
    assert {end["interval"] for end in endpoints} == {prometheus["global"]["scrape_interval"]}
    assert [end["port"] for end in endpoints] == [port["name"] for port in server(values)["ports"]][1:]


def test_replicas_are_counted_by_requests_that_wait():
    (record,) = [rule["record"] for rule in RECORDS if "pending" in rule["record"]]
    objects = render({"autoscaling": {"by": "hpa"}})
    (metric,) = objects["HorizontalPodAutoscaler", "faces"]["spec"]["metrics"]
    (rule,) = yaml.safe_load(objects["ConfigMap", "faces-adapter"]["data"]["config.yaml"])["rules"]
    assert rule["seriesQuery"].startswith(record + "{")
    assert re.fullmatch(rule["name"]["matches"], record)
    assert rule["name"]["as"] == metric["pods"]["metric"]["name"]
    assert "replicas" not in objects["Deployment", "faces"]["spec"], "an upgrade would set them back"
    keda = render({"autoscaling": {"by": "keda"}})["ScaledObject", "faces"]["spec"]
    (trigger,) = keda["triggers"]
    assert f'sum({record}{{namespace="photos", pod=~"' in trigger["metadata"]["query"]
    pods = re.search(r'pod=~"([^"]*)"', trigger["metadata"]["query"])[1]
    assert re.fullmatch(pods, "faces-5d5b6c7f9-x2x4z")
    assert not re.fullmatch(pods, "faces-gpu-5d5b6c7f9-x2x4z"), "another release"
    assert trigger["metadata"]["threshold"] == metric["pods"]["target"]["averageValue"]
    assert metric["pods"]["target"]["averageValue"] == str(VALUES["autoscaling"]["pendingRequests"])
    behavior = objects["HorizontalPodAutoscaler", "faces"]["spec"]["behavior"]
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == behavior


def test_records_ask_for_metrics_that_are_documented_and_not_of_the_ensemble():
    for rule in RECORDS:
        assert {re.sub("_us_(sum|count)$", "_us", name) for name in metrics_of(rule["expr"])} <= documented_metrics()
        assert "face_recognition" not in rule["expr"]
        assert set(re.findall(r'model=~"([^"]*)"', rule["expr"])) == {"mtcnn|face_embeddings"}
