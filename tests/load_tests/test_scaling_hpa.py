"""The controller's decisions: the cases of Kubernetes' documentation, and a slow reference that takes them
literally."""

import math
import random
from itertools import pairwise

import pytest

from face_scaling.hpa import Autoscaler, Event, Pod, Policy, Rules, desired_by_pods, desired_by_sum, limited, stabilised

FREE = Rules(0, (Policy("Percent", 1000, 15),))
STEADY = Rules(300, (Policy("Pods", 1, 60),))


def running(*values):
    return [Pod(pending=False, waiting=value) for value in values]


@pytest.mark.parametrize(
    ("waiting", "wanted"),
    [
        # "If the current metric value is 200m and the desired value is 100m, the number of replicas will be doubled";
        # with 50m it is halved; within a tenth of the target nothing happens.
        ([200, 200, 200], 6),
        ([50, 50, 50, 50], 2),
        ([110, 110], 2),
        ([111, 111], 3),
        ([90, 90], 2),
        ([89, 89, 89, 89, 89], 5),
        ([0, 0, 0], 0),
        # All pods count alike: their mean does.
        ([400, 0], 4),
    ],
)
def test_replicas_follow_the_ratio_of_metric_and_target(waiting, wanted):
    assert desired_by_pods(running(*waiting), len(waiting), 100) == wanted


def test_pods_without_a_metric_count_as_idle_for_more_and_as_at_the_target_for_fewer():
    # Two at four times the target: eight; with two more that say nothing yet, still eight.
    assert desired_by_pods(running(4, 4), 2, 1) == 8
    assert desired_by_pods(running(4, 4, None, None), 4, 1) == 8
    # At 1.4 there would be three of two; with a third that is thought idle the ratio is 0.93, and nothing changes.
    assert desired_by_pods(running(1.4, 1.4, None), 3, 1) == 3
    # Idle ones would leave none; one that says nothing is thought to be worth itself.
    assert desired_by_pods(running(0, 0), 2, 1) == 0
    assert desired_by_pods(running(0, 0, None), 3, 1) == 1
    assert desired_by_pods([*running(None), Pod(pending=True, waiting=None)], 2, 1) is None


def test_pods_that_are_pending_hold_back_more_replicas_and_not_fewer():
    pending = [Pod(pending=True, waiting=None)] * 2
    assert desired_by_pods([*running(2, 2), *pending], 4, 1) == 4
    assert desired_by_pods([*running(3, 3), *pending], 4, 1) == 6
    assert desired_by_pods([*running(0.2, 0.2), *pending], 4, 1) == 1


def test_a_sum_is_divided_by_the_target():
    assert desired_by_sum(7.9, 2, 4) == 2
    assert desired_by_sum(8.7, 2, 4) == 2
    assert desired_by_sum(8.9, 2, 4) == 3
    assert desired_by_sum(0, 2, 4) == 0


def test_a_window_takes_the_most_for_fewer_and_the_least_for_more():
    past = [(0, 9), (200, 4), (250, 2)]
    assert stabilised(1, 5, 290, past, FREE, STEADY) == 5
    assert stabilised(1, 5, 301, past, FREE, STEADY) == 4
    assert stabilised(1, 5, 551, past, FREE, STEADY) == 1
    slow = Rules(60, FREE.policies)
    assert stabilised(8, 5, 290, past, slow, STEADY) == 5
    assert stabilised(8, 5, 311, past, slow, STEADY) == 8


def test_eighty_replicas_go_down_as_the_documentation_says():
    """At most 4 pods or 10 % a minute, whichever is more: 80, 72, 64 …, and from 40 on by fours, down to 10."""
    down = Rules(0, (Policy("Pods", 4, 60), Policy("Percent", 10, 60)))
    scaler = Autoscaler(FREE, down, (1, 100))
    current, seen = 80, [80]
    for minute in range(1, 20):
        # Four decisions in each minute: the policy allows no more for that.
        for second in (0, 15, 30, 45):
            current = scaler.decide(60 * minute + second, current, 10)
        seen.append(current)
    assert seen[:4] == [80, 72, 64, 57]
    assert [a - b for a, b in pairwise(seen) if a <= 40 and a > 13] == [4] * 7
    assert seen[-1] == 10


def test_replicas_double_at_most_in_a_minute_and_never_beyond_the_bounds():
    up = Rules(0, (Policy("Percent", 100, 60), Policy("Pods", 2, 60)))
    scaler = Autoscaler(up, STEADY, (2, 10))
    assert scaler.decide(0, 1, 100) == 3
    assert scaler.decide(30, 3, 100) == 3
    assert scaler.decide(60, 3, 100) == 6
    assert scaler.decide(120, 6, 100) == 10
    assert scaler.decide(180, 10, None) == 10
    assert scaler.decide(1000, 4, 0) == 3, "one a minute"
    assert scaler.decide(1015, 3, 0) == 3
    assert scaler.decide(1061, 3, 0) == 2
    assert scaler.decide(1200, 2, 0) == 2


def slow_limit(desired, current, now, events, up, down, bounds):
    """Word by word: each policy by itself, from the replicas at the start of its period."""
    if desired == current:
        return desired
    rules = up if desired > current else down
    limits = []
    for policy in rules.policies:
        start = current
        for event in events:
            if now - event.at < policy.period_s:
                start -= event.change
        step = policy.value if policy.type == "Pods" else start * policy.value / 100
        limits.append(math.ceil(start + step) if desired > current else math.floor(start - step))
    if desired > current:
        return max(current, min(desired, bounds[1], max(limits))) if current <= bounds[1] else bounds[1]
    return min(current, max(desired, bounds[0], min(limits)))


def test_limits_are_those_of_a_slow_reading():
    numbers = random.Random(1)

    def rules():
        kinds = [Policy(numbers.choice(("Pods", "Percent")), numbers.randint(1, 120), numbers.choice((15, 60, 120)))]
        return Rules(0, tuple(kinds * numbers.randint(1, 2)))

    for _ in range(2000):
        current = numbers.randint(1, 20)
        events = [Event(numbers.uniform(0, 200), numbers.randint(-2, 2)) for _ in range(numbers.randint(0, 4))]
        case = numbers.randint(1, 20), current, 200.0, events, rules(), rules(), (1, 20)
        assert limited(*case) == slow_limit(*case), case
