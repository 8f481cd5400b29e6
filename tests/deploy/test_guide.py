"""docs/observability.md has what there is."""

import re

from tests.deploy.expressions import (
    GUIDE,
    alert_expressions,
    alerts,
    dashboard_expressions,
    documented_metrics,
    metrics_of,
)

_OF_A_HISTOGRAM = re.compile("_(bucket|sum|count)$")


def test_every_alert_stands_there_with_its_severity():
    listed = dict(re.findall(r"^\| `(\w+)` \| (critical|warning) \|", GUIDE, re.MULTILINE))
    assert listed == {name: rule["labels"]["severity"] for name, rule in alerts().items()}


def test_every_metric_that_is_asked_for_stands_there():
    asked = {name for _, text in (*dashboard_expressions("1m"), *alert_expressions()) for name in metrics_of(text)}
    known = documented_metrics()
    assert not {name for name in asked if _OF_A_HISTOGRAM.sub("", name) not in known and name not in known} - {"up"}


def test_its_questions_ask_for_metrics_that_stand_there():
    questions = [
        text for line in GUIDE.splitlines() if line.startswith("|") for text in re.findall("`([^`]*rate.*?)`", line)
    ]
    assert len(questions) >= 4
    for text in questions:
        assert {_OF_A_HISTOGRAM.sub("", name) for name in metrics_of(text)} <= documented_metrics()
