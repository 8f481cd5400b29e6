"""What Kubernetes' HorizontalPodAutoscaler decides, as pure functions.

After its documentation (kubernetes.io: "Horizontal Pod Autoscaling", algorithm details and configurable scaling
behavior) and the controller's source, for one metric with a target of the type AverageValue.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

TOLERANCE = 0.1
"""A ratio of metric to target this near to 1 changes nothing: the controller's default."""

SYNC_S = 15.0
"""From one decision to the next: the controller's default."""


@dataclass(frozen=True)
class Policy:
    """At most so many pods, or so many percent of them, in a period."""

    type: str
    value: int
    period_s: float


@dataclass(frozen=True)
class Rules:
    """One direction's behavior; of several policies the one counts that allows most, as by default."""

    window_s: float
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Event:
    """At a time so many replicas more, or fewer where negative."""

    at: float
    change: int


@dataclass(frozen=True)
class Pod:
    """What a decision knows of a pod. pending: its phase, while images are pulled and init containers run. waiting: its
    metric; None where there is none yet."""

    pending: bool
    waiting: float | None


def desired_by_pods(pods: Sequence[Pod], current: int, target: float) -> int | None:
    """Replicas by a metric of each pod (type Pods). Pods that are being deleted are not to be among them.

    Pods that have no metric count as at the target when there would be fewer replicas, and as idle when there would be
    more; so do pending ones in the second case. None, no decision, where no pod has a metric.
    """
    known = [pod.waiting for pod in pods if not pod.pending and pod.waiting is not None]
    missing = sum(not pod.pending and pod.waiting is None for pod in pods)
    unready = sum(pod.pending for pod in pods)
    if not known:
        return None
    ratio = sum(known) / len(known) / target
    idle_too = unready if ratio > 1 else 0
    if not missing and not idle_too:
        return current if _within_tolerance(ratio) else _ceil(ratio * len(known))
    assumed = [target if ratio < 1 else 0.0] * missing + [0.0] * idle_too
    count = len(known) + len(assumed)
    again = (sum(known) + sum(assumed)) / count / target
    if _within_tolerance(again) or (ratio < 1) != (again < 1):
        return current
    wanted = _ceil(again * count)
    return current if (wanted > current) != (again > 1) else wanted


def desired_by_sum(total: float, replicas: int, target: float) -> int:
    """Replicas by one number for all of them (type External), as KEDA gives it: their sum. replicas: that exist."""
    if replicas and _within_tolerance(total / (target * replicas)):
        return replicas
    return _ceil(total / target)


def _within_tolerance(ratio: float) -> bool:
    return 1 - TOLERANCE <= ratio <= 1 + TOLERANCE


def _ceil(value: float) -> int:
    # Kubernetes computes in thousandths; what is above a whole number by less is rounding.
    return math.ceil(round(value, 6))


def stabilised(
    desired: int, current: int, now: float, past: Iterable[tuple[float, int]], up: Rules, down: Rules
) -> int:
    """Of all that was desired within the window, the least when there would be more replicas, the most when fewer.

    past: (when, what was desired) of earlier decisions.
    """
    past = list(past)
    least = min([desired, *(wanted for at, wanted in past if at > now - up.window_s)])
    most = max([desired, *(wanted for at, wanted in past if at > now - down.window_s)])
    return min(max(current, least), most)


def limited(
    desired: int, current: int, now: float, events: Sequence[Event], up: Rules, down: Rules, bounds: tuple[int, int]
) -> int:
    """As many of the desired replicas as policies and bounds, (least, most), allow. events: those of the past."""
    least, most = bounds
    if desired > current:
        allowed = max(_allowed(policy, current, now, events, 1) for policy in up.policies)
        return min(desired, most, max(allowed, current))
    if desired < current:
        allowed = min(_allowed(policy, current, now, events, -1) for policy in down.policies)
        return max(desired, least, min(allowed, current))
    return min(max(current, least), most)


def _allowed(policy: Policy, current: int, now: float, events: Sequence[Event], sign: int) -> int:
    """How many a policy lets there be, counted from how many there were when its period began."""
    at_start = current - sum(event.change for event in events if event.at > now - policy.period_s)
    if policy.type == "Pods":
        return at_start + sign * policy.value
    allowed = at_start * (100 + sign * policy.value) / 100
    return math.ceil(allowed) if sign > 0 else math.floor(allowed)


class Autoscaler:
    """One controller's memory between its decisions."""

    def __init__(self, up: Rules, down: Rules, bounds: tuple[int, int]) -> None:
        self._up, self._down, self._bounds = up, down, bounds
        self._desired: list[tuple[float, int]] = []
        self._events: list[Event] = []
        self._memory_s = max(p.period_s for p in (*up.policies, *down.policies))

    def decide(self, now: float, current: int, desired: int | None) -> int:
        """Replicas from now on. desired: by the metric; None, without one, changes nothing."""
        if desired is None:
            return current
        stable = stabilised(desired, current, now, self._desired, self._up, self._down)
        window = max(self._up.window_s, self._down.window_s)
        self._desired = [(at, wanted) for at, wanted in self._desired if at > now - window] + [(now, desired)]
        self._events = [event for event in self._events if event.at > now - self._memory_s]
        new = limited(stable, current, now, self._events, self._up, self._down, self._bounds)
        if new != current:
            self._events.append(Event(now, new - current))
        return new


def rules(behavior: Mapping[str, object]) -> Rules:
    """Of one direction, as a manifest has it."""
    policies = behavior["policies"]
    assert isinstance(policies, list)
    return Rules(
        float(str(behavior["stabilizationWindowSeconds"])),
        tuple(Policy(each["type"], each["value"], each["periodSeconds"]) for each in policies),
    )
