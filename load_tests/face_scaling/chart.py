"""What the Helm chart says about scaling, read from the rendered chart: nothing of it stands here a second time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from face_bench import BenchError
from face_bench.machine import CHECKOUT
from face_scaling.hpa import Rules, rules

CHART = CHECKOUT / "deploy" / "helm" / "triton-faces"
PROFILES = ("cpu", "gpu")
HPA, KEDA = "hpa", "keda"

_UNITS_S = {"s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Scaling:
    """The rule of one profile.

    target: requests that may wait a replica. bounds: the least and the most replicas. scrape_s: between two looks of
    Prometheus at a pod, average_s: what the record averages over. pre_stop_s: from a pod's end to SIGTERM, grace_s:
    from there to SIGKILL.
    """

    by: str
    target: float
    bounds: tuple[int, int]
    up: Rules
    down: Rules
    scrape_s: float
    average_s: float
    pre_stop_s: float
    grace_s: float


def scaling(profile: str, by: str = HPA) -> Scaling:
    """Raises BenchError where Helm's library is missing."""
    objects = _render(profile, by)
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pre_stop = float(container["lifecycle"]["preStop"]["sleep"]["seconds"]) if "lifecycle" in container else 0.0
    if by == HPA:
        spec = objects["HorizontalPodAutoscaler"]["spec"]
        (metric,) = spec["metrics"]
        target, behavior = metric["pods"]["target"]["averageValue"], spec["behavior"]
        bounds = spec["minReplicas"], spec["maxReplicas"]
    else:
        spec = objects["ScaledObject"]["spec"]
        (trigger,) = spec["triggers"]
        target, behavior = (
            trigger["metadata"]["threshold"],
            spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        )
        bounds = spec["minReplicaCount"], spec["maxReplicaCount"]
    return Scaling(
        by=by,
        target=float(target),
        bounds=bounds,
        up=rules(behavior["scaleUp"]),
        down=rules(behavior["scaleDown"]),
        scrape_s=_seconds(objects["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["interval"]),
        average_s=_averaged(objects["PrometheusRule"]["spec"]),
        pre_stop_s=pre_stop,
        grace_s=pod["terminationGracePeriodSeconds"] - pre_stop,
    )


def _render(profile: str, by: str) -> Mapping[str, Any]:
    """The objects by kind; of several of a kind the last."""
    try:
        import helm_python as helm
    except ImportError as error:
        raise BenchError("the chart is rendered by Helm's library: pip install helm-python-sdk") from error
    values = yaml.safe_load((CHART / "values-gpu.yaml").read_text()) if profile == "gpu" else {}
    values["autoscaling"] = {**values.get("autoscaling", {}), "by": by}
    values["monitoring"] = {"enabled": True}
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name="faces", namespace="faces")
    found = [
        each for path, text in texts.items() if path.endswith(".yaml") for each in yaml.safe_load_all(text) if each
    ]
    return {each["kind"]: each for each in found}


def _averaged(spec: Mapping[str, Any]) -> float:
    """Seconds of the record that waits are averaged over."""
    (expression,) = [r["expr"] for g in spec["groups"] for r in g["rules"] if "pending_requests" in r["record"]]
    (span,) = re.findall(r"avg_over_time\([^[]*\[(\w+)\]", expression)
    return _seconds(span)


def _seconds(text: str) -> float:
    return float(text[:-1]) * _UNITS_S[text[-1]]
