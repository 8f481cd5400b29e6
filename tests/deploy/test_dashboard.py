"""The dashboard is what its source says, and fits what provisions it."""

import re
import runpy
from collections import Counter

import yaml

from tests.deploy.expressions import DASHBOARD, DEPLOY, PROMETHEUS, dashboard_expressions, metrics_of, panels

GRAFANA = DEPLOY / "grafana"


def test_the_json_is_what_the_source_makes():
    made = runpy.run_path(str(GRAFANA / "make_dashboard.py"))["dashboard_json"]()
    assert DASHBOARD.read_text() == made, "python deploy/grafana/make_dashboard.py"


def test_every_panel_asks_something_and_says_what_it_is():
    for panel in panels():
        assert panel["targets"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    assert all(metrics_of(expression) for _, expression in dashboard_expressions("1m"))


def test_panels_have_numbers_and_places_of_their_own():
    assert max(Counter(panel["id"] for panel in panels()).values()) == 1
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert max(Counter(places).values()) == 1
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())


def test_legends_name_labels_that_the_query_keeps():
    for panel in panels():
        for target in panel["targets"]:
            grouped = re.search(r" by \(([\w, ]+)\)", target["expr"])
            if grouped:
                named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                assert named <= set(grouped[1].split(", ")) - {"le"}, target


def test_intervals_agree():
    """Grafana takes rates over four of Prometheus' intervals, if it is told the right one."""
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    prometheus = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    assert source["type"] == "prometheus"
