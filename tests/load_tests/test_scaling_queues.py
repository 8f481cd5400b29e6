"""Queues of replicas, held against what queueing theory says of simple ones."""

from dataclasses import replace

import numpy as np
import pytest

from face_scaling.events import DEADLINE_S
from face_scaling.queues import Queues, percentile
from face_scaling.server import Server

# The events are compiled first.
pytestmark = pytest.mark.slow

ALONE = Server(
    instances=1, batch=1, queue=None, own_s=(0.0,), shared_s=(0.01,), batch_s=(0.0, 0.0), forms=(0,), start_s=10
)


def run(server, rate, seconds=2000, replicas=1, **options):
    """Counts of all the time, and what waits in the first replica at the end of each second."""
    queues = Queues(server, np.full(seconds, float(rate)), **options)
    for slot in range(replicas):
        queues.open(slot)
    waiting = []
    for second in range(seconds):
        queues.advance(second + 1)
        waiting.append(queues.waiting(0))
    queues.advance(seconds + 100)
    return queues.counts, waiting


def mean_s(histogram):
    """Of a histogram [minutes, bins]: the middles of its bins."""
    total = histogram.sum(0)
    # What waits no longer than a millisecond is in bin 0.
    middles = [0.0] + [percentile(np.eye(len(total), dtype=int)[n], 1) / 1.025 for n in range(1, len(total))]
    return float(np.dot(total, middles) / total.sum())


def test_as_many_come_as_the_rates_say_and_all_are_answered():
    counts, _ = run(ALONE, 50)
    assert counts.due.sum() == pytest.approx(100_000, rel=0.01)
    assert counts.answered.sum() == counts.due.sum() == counts.waits.sum() == counts.latencies.sum()
    # Poisson: a minute's count varies as much as its mean.
    assert counts.due[:33].var() == pytest.approx(counts.due[:33].mean(), rel=0.8)


def test_one_instance_of_constant_time_waits_as_pollaczek_and_khinchin_say():
    for load in (0.5, 0.8):
        counts, waiting = run(ALONE, 100 * load)
        expected = load / (2 * (1 - load)) * 0.01
        assert mean_s(counts.waits) == pytest.approx(expected, rel=0.1)
        # Little: as many wait as come during a wait.
        assert np.mean(waiting) == pytest.approx(100 * load * expected, rel=0.15)


def test_what_is_shared_by_all_takes_as_long_as_processor_sharing():
    """M/G/1 with processor sharing: work ÷ (1 - load), whatever the distribution of work is."""
    many = replace(ALONE, instances=64, own_s=(0.0, 0.0), shared_s=(0.002, 0.018), forms=(0, 0))
    counts, _ = run(many, 60)
    assert mean_s(counts.latencies) == pytest.approx(0.01 / 0.4, rel=0.1)
    assert mean_s(counts.waits) == 0


def test_times_of_their_own_do_not_slow_one_another_down():
    many = replace(ALONE, instances=64, own_s=(0.1,), shared_s=(1e-9,))
    counts, _ = run(many, 60)
    assert mean_s(counts.latencies) == pytest.approx(0.1, rel=0.03)


def test_batches_carry_more():
    batching = replace(ALONE, batch=16, batch_s=(0.0, 0.01), shared_s=(0.001,))
    assert batching.capacity == pytest.approx(16 / 0.026)
    counts, _ = run(batching, 0.95 * batching.capacity, seconds=300)
    assert counts.answered.sum() == counts.due.sum()
    one_by_one, _ = run(replace(batching, batch=1), 0.95 * batching.capacity, seconds=300)
    assert one_by_one.gave_up.sum() > 0.5 * one_by_one.due.sum()


def test_no_batch_has_two_forms():
    mixed = replace(ALONE, batch=16, batch_s=(0.0, 0.01), own_s=(0.0, 0.0), shared_s=(0.001, 0.001), forms=(0, 1))
    alike, _ = run(replace(mixed, forms=(0, 0)), 300, seconds=100)
    unlike, _ = run(mixed, 300, seconds=100)
    assert mean_s(unlike.latencies) > 2 * mean_s(alike.latencies)


def test_a_closed_loop_is_as_fast_as_its_slowest_part():
    queues = Queues(ALONE, np.zeros(60), callers=1, closed=True)
    queues.open(0)
    queues.fill(0, 5)
    queues.advance(60)
    assert queues.counts.answered.sum() == pytest.approx(6000, abs=2)
    assert queues.waiting(0) == 4


def test_a_full_queue_refuses_and_what_it_lets_in_waits_no_longer_than_its_length():
    bounded = replace(ALONE, queue=8)
    counts, _ = run(bounded, 300, seconds=300)
    assert counts.answered.sum() == pytest.approx(100 * 300, rel=0.02)
    assert counts.refused.sum() == counts.due.sum() - counts.answered.sum()
    assert percentile(counts.waits.sum(0), 1) <= 0.09 * 1.05


def test_retries_find_a_replica_with_room_but_within_the_budget():
    bounded = replace(ALONE, queue=2)
    without, _ = run(bounded, 180, seconds=300, replicas=2, callers=200)
    with_, _ = run(bounded, 180, seconds=300, replicas=2, callers=200, retries=True)
    assert with_.refused.sum() < 0.9 * without.refused.sum()
    flooded, _ = run(bounded, 2000, seconds=60, replicas=2, retries=True)
    assert flooded.answered.sum() == pytest.approx(200 * 60, rel=0.05)


def test_who_waits_too_long_is_gone():
    counts, _ = run(ALONE, 200, seconds=120)
    assert counts.gave_up.sum() > 0
    assert percentile(counts.waits.sum(0), 1) <= 1.05 * DEADLINE_S
    assert counts.answered.sum() + counts.gave_up.sum() == counts.due.sum()


def test_one_caller_fills_replicas_evenly_and_many_callers_by_chance():
    few, _ = run(ALONE, 180, seconds=500, replicas=2, callers=1)
    many, _ = run(ALONE, 180, seconds=500, replicas=2, callers=500)
    assert mean_s(few.waits) < mean_s(many.waits)


def test_the_same_day_comes_whatever_the_replicas_are():
    one, _ = run(ALONE, 90, seconds=300)
    two, _ = run(replace(ALONE, queue=1), 90, seconds=300, replicas=2)
    assert (one.due == two.due).all()
    other, _ = run(ALONE, 90, seconds=300, seed=2)
    assert (one.due != other.due).any()


def test_without_an_open_replica_everybody_is_refused():
    counts, _ = run(ALONE, 10, seconds=60, replicas=0)
    assert counts.refused.sum() == counts.due.sum() > 0


def test_a_closed_replica_answers_what_it_has_and_a_dropped_one_does_not():
    for drop in (False, True):
        rates = np.zeros(60)
        rates[0] = 50.0
        queues = Queues(replace(ALONE, shared_s=(0.1,)), rates)
        queues.open(0)
        queues.advance(1)
        queues.close(0)
        left = queues.waiting(0) + queues.at_work(0)
        assert left > 1
        if drop:
            queues.drop(0)
        queues.advance(60)
        assert queues.counts.refused.sum() == (left if drop else 0)
        assert queues.counts.answered.sum() == queues.counts.due.sum() - (left if drop else 0)
