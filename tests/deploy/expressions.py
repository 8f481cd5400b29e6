"""What dashboard and alerts ask Prometheus."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "faces.json"

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_METRIC = re.compile(r"\b(?:nv|mtcnn|face_embeddings|face_names|faces)_\w+|\bup\b")
# `> 0.02`, not `reason!="x"`: a comparison with a number, which leaves nothing while all is well.
_COMPARISON = re.compile(r"\s+(?:==|!=|>=|<=|>|<)\s+[\d.e]+")

GUIDE = (ROOT / "docs" / "observability.md").read_text()

GPU = re.compile(r"\bnv_gpu_")


def alerts():
    """Rules by name."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels():
    """Every panel that draws, those of closed rows too."""
    board = json.loads(DASHBOARD.read_text())
    return [panel for top in board["panels"] for panel in (top["panels"] if top["type"] == "row" else [top])]


def dashboard_expressions(interval):
    """(panel's title, PromQL) with Grafana's variables filled in: all servers, rates over `interval`."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", interval).replace("$instance", ".*")


def alert_expressions():
    """(name, PromQL without its comparisons): what the alert looks at, whether or not it is bad."""
    for name, rule in alerts().items():
        yield name, _COMPARISON.sub("", rule["expr"])


def metrics_of(expression):
    """The names of the metrics in it."""
    return set(_METRIC.findall(_STRING.sub('""', expression)))


def documented_metrics():
    """The names in the first column of the guide's tables."""
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1]) if _METRIC.fullmatch(name)}
