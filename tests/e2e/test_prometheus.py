"""A real Prometheus scrapes the running server: every query of the dashboard and of the alerts has an answer."""

from contextlib import suppress

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from face_server.supervision.health import Health, HealthServer
from tests.deploy.expressions import GPU, alert_expressions, alerts, dashboard_expressions
from tests.e2e import prometheus
from tests.e2e.requests import encoded_image, outputs
from tests.pictures import astronaut, mixed_sizes

pytestmark = pytest.mark.skipif(
    not prometheus.EXECUTABLE, reason="no prometheus here: apt-get install --no-install-recommends prometheus"
)

# Rates need two scrapes; these go over many.
_RATE = "1m"

# Zero while all is well, or while nobody waits at that very moment.
_QUIET = {"Waiting requests", "Candidates dropped", "Canaries failed, processes renewed, restarts"}


@pytest.fixture(scope="module")
def supervised():
    """The supervisor's own metrics, without a supervisor: what it would write there."""
    health = Health(good_for=3600)
    health.passed(0.1)
    server = HealthServer(health, "127.0.0.1", 0)
    yield server.url.removeprefix("http://")
    server.close()


@pytest.fixture(scope="module")
def scraped(triton, client, grpc_client, supervised, tmp_path_factory):
    """Prometheus after a little of everything that a server is asked for."""
    targets = {"triton": triton.metrics_url.split("/")[2], "supervisor": supervised}
    with prometheus.scraping(targets, tmp_path_factory.mktemp("prometheus")) as running:
        running.wait_for('up{job="triton"} == 1')
        _ask_for_everything(client, grpc_client)
        # The last of it has been scraped when what Prometheus knows is what was done.
        running.wait_for("sum(increase(face_embeddings_batch_faces_sum[5m])) > 0")
        running.wait_for('sum(increase(mtcnn_refused_requests_total{reason="image"}[5m])) > 0')
        yield running


def _ask_for_everything(client, grpc_client):
    for _ in range(3):
        list(client.detect_batch(mixed_sizes(6), in_flight=6))
        client.detect(np.zeros((60, 60, 3), np.uint8))
        client.recognize(astronaut())
        with suppress(InferenceServerException):
            grpc_client.infer("mtcnn", [encoded_image(b"no picture")], outputs=outputs())


def _named(expressions):
    """A test's name has the panel or the alert in it, not the whole query."""
    return [pytest.param(expression, id=name) for name, expression in expressions]


def has_gpu(running):
    return bool(running.query("nv_gpu_utilization"))


def test_the_targets_are_up(scraped):
    assert scraped.query('up{job="triton"}') == [1]
    assert scraped.query('up{job="supervisor"}') == [1]


@pytest.mark.parametrize("expression", _named(dashboard_expressions(_RATE)))
def test_every_query_of_the_dashboard_has_data(scraped, expression):
    if GPU.search(expression) and not has_gpu(scraped):
        assert scraped.query(expression) == [], "valid, and empty without a GPU"
        return
    scraped.wait_for(expression)


def test_every_panel_shows_what_was_done(scraped):
    highest = {}
    for panel, expression in dashboard_expressions(_RATE):
        highest[panel] = max(highest.get(panel, 0), *scraped.query(expression), 0)
    flat = {panel for panel, value in highest.items() if value == 0}
    assert flat <= _QUIET | {panel for panel, expression in dashboard_expressions(_RATE) if GPU.search(expression)}


@pytest.mark.parametrize("expression", _named(alert_expressions()))
def test_what_every_alert_looks_at_has_data(scraped, expression):
    if GPU.search(expression) and not has_gpu(scraped):
        assert scraped.query(expression) == [], "valid, and empty without a GPU"
        return
    scraped.wait_for(expression)


def test_the_rules_are_loaded_and_run(scraped):
    rules = scraped.wait_until(lambda rules: {rule["health"] for rule in rules} == {"ok"}, scraped.rules)
    assert {rule["name"] for rule in rules} == set(alerts())
    assert not [rule["lastError"] for rule in rules if rule.get("lastError")]


def test_prometheus_counts_what_was_done(scraped):
    # Other tests asked for the largest face alone: what ONet found is then more than what was given out.
    (faces,) = scraped.query("sum(mtcnn_image_faces_sum)")
    (found,) = scraped.query('sum(mtcnn_candidates_total{stage="onet"})')
    assert 0 < faces <= found
    assert scraped.query("sum(mtcnn_batch_images_sum)") == scraped.query("sum(mtcnn_image_faces_count)")
