"""A simulated day: what a rule is told, what it does, and what comes of it."""

from dataclasses import replace

import numpy as np
import pytest

from face_scaling.chart import HPA, KEDA, Scaling
from face_scaling.day import Cluster, Day
from face_scaling.hpa import Policy, Rules
from face_scaling.server import Server
from face_scaling.sweep import Setting, best, hindsight, plan, row, rule, with_rule
from face_scaling.traffic import DAY_S, NIGHT, PEAK, day

# The events are compiled first.
pytestmark = pytest.mark.slow

SERVER = Server(
    instances=1, batch=1, queue=None, own_s=(0.0,), shared_s=(0.1,), batch_s=(0.0, 0.0), forms=(0,), start_s=10
)
UP = Rules(0, (Policy("Percent", 100, 60), Policy("Pods", 2, 60)))
DOWN = Rules(300, (Policy("Pods", 1, 60),))
SCALING = Scaling(HPA, 2.0, (2, 8), UP, DOWN, scrape_s=15, average_s=60, pre_stop_s=10, grace_s=50)
CLUSTER = Cluster(pull_s=20)


def outcome(rates, scaling=SCALING, server=SERVER, **options):
    return Day(server, scaling, CLUSTER, np.array(rates, float), **options).run()


def test_a_quiet_service_stays_at_its_least():
    found = outcome([8.0] * 1800)
    assert found.changes == 0
    assert (found.pods == 2).all()
    assert found.replica_hours == pytest.approx(1.0)
    assert found.counts.answered.sum() == found.counts.due.sum()


@pytest.mark.parametrize("by", [HPA, KEDA])
def test_a_step_brings_replicas_within_two_minutes_and_a_lull_takes_them_one_by_one(by):
    rates = [8.0] * 600 + [55.0] * 1200 + [4.0] * 1800
    found = outcome(rates, replace(SCALING, by=by))
    # Samples of a minute, an evaluation, a decision, and 35 s until callers have it.
    assert (found.serving[:10] == 2).all()
    assert found.serving[13] > 2
    assert found.serving[28] >= 6
    # Five minutes are kept; then one a minute goes.
    assert found.pods[34] >= 6
    after = found.pods[34:]
    assert np.all(np.diff(after) <= 1e-9)
    assert np.all(np.diff(after) >= -1.5)
    assert after[-1] == 2


def test_a_server_that_is_full_is_no_server_that_is_idle():
    """Requests that nobody can answer in time keep the queues full, and so the replicas at their most."""
    found = outcome([120.0] * 1200)
    assert found.serving[-1] == 8
    assert found.counts.gave_up.sum() > 0


def test_an_end_loses_nothing():
    found = outcome([55.0] * 900 + [2.0] * 1800)
    assert found.changes > 4
    assert found.counts.refused.sum() == 0
    counts = found.counts
    assert counts.answered.sum() + counts.gave_up.sum() == counts.due.sum()


def test_a_plan_is_there_in_time():
    rates = [8.0] * 600 + [55.0] * 600
    wanted = np.array([2] * 10 + [7] * 10)
    found = outcome(rates, plan=wanted)
    assert (found.serving[10:] == 7).all()
    assert found.pods[8] < 7
    assert found.counts.late.sum() == 0


def test_one_replica_more_leaves_the_others_alone():
    found = outcome([8.0] * 1200, plan=np.array([3] * 10 + [4] * 5 + [3] * 5))
    assert found.serving.min() == 3
    assert (found.serving[10:15] == 4).all()
    assert found.replica_hours == pytest.approx(1 + 6 / 60, abs=0.02)


def test_the_same_seed_is_the_same_day_and_another_one_is_not():
    rates = [30.0] * 900
    first, second, other = outcome(rates, seed=3), outcome(rates, seed=3), outcome(rates, seed=4)
    assert (first.counts.waits == second.counts.waits).all()
    assert (first.counts.waits != other.counts.waits).any()


def test_the_day_is_what_it_says():
    rates = day(100.0)
    assert len(rates) == DAY_S
    assert (rates >= 0).all()
    minutes = rates.reshape(-1, 60).mean(1)
    assert minutes[4 * 60] == pytest.approx(100 * NIGHT, rel=0.3)
    assert minutes[16 * 60 - 30 : 16 * 60 + 30].mean() == pytest.approx(100 * PEAK, rel=0.2)
    assert rates[17 * 3600 : 17 * 3600 + 60].sum() == 0
    # Whoever could not ask comes back.
    assert rates[17 * 3600 + 60] > 5 * minutes[17 * 60 - 1]
    assert rates[9 * 3600] > 1.4 * rates[9 * 3600 - 1]


def setting(rates):
    return Setting(SERVER, SCALING, CLUSTER, np.array(rates, float), callers=8, retries=False, seed=1)


def test_rules_are_compared_by_what_they_cost_and_whom_they_fail():
    given = setting(([8.0] * 300 + [35.0] * 300) * 3)
    eager, lazy = rule(given, (0.5, 600.0)), rule(given, (8.0, 60.0))
    assert eager.replica_hours > lazy.replica_hours
    assert eager.missed < lazy.missed
    ideal = hindsight(given, 0.7)
    assert ideal.missed < eager.missed
    assert (plan(given, 0.7)[:5] == 2).all()
    assert plan(given, 0.7)[7] == 5
    same = with_rule(given, SCALING.target, DOWN.window_s)
    assert row(same.run()) == row(given.run())


def test_the_best_is_the_cheapest_that_keeps_the_promise_or_else_misses_it_least():
    base = row(outcome([8.0] * 60))
    rows = [replace(base, late=late, replica_hours=hours) for late, hours in ((0.0, 30.0), (0.009, 20.0), (0.02, 10.0))]
    assert best(rows).replica_hours == 20
    assert best(rows[2:]).replica_hours == 10
