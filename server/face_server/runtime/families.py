"""Families of metrics on Triton's metrics port.

Each instance of a model is a process of its own; what they report under one name with the same labels Triton adds up
(gauges: the latest stands). A metric is made when its label's value is first seen, or at once where the values are
given: a counter that first appears with its first event has no rate over it.
"""

from collections.abc import Sequence
from typing import Any

import triton_python_backend_utils as pb_utils


class _Family:
    """Metrics of one name, one for each value of the label if there is a label."""

    def __init__(self, kind: Any, name: str, description: str, label: str = "", values: Sequence[str] = ()) -> None:
        # Kept: Triton ends the metrics of a family that is gone.
        self._family = pb_utils.MetricFamily(name=name, description=description, kind=kind)
        self._label = label
        self._metrics: dict[str, Any] = {}
        for value in values if label else ("",):
            self._of(value)

    def _of(self, value: str) -> Any:
        if value not in self._metrics:
            self._metrics[value] = self._make({self._label: value} if self._label else {})
        return self._metrics[value]

    def _make(self, labels: dict[str, str]) -> Any:
        return self._family.Metric(labels=labels)


class Counter(_Family):
    """What only grows."""

    def __init__(self, name: str, description: str, label: str = "", values: Sequence[str] = ()) -> None:
        super().__init__(pb_utils.MetricFamily.COUNTER, name, description, label, values)

    def add(self, value: float, of: str = "") -> None:
        # Each call takes some 12 µs, most of it on the way to Triton's process.
        if value:
            self._of(of).increment(value)


class Gauge(_Family):
    """What goes up and down."""

    def __init__(self, name: str, description: str, label: str = "", values: Sequence[str] = ()) -> None:
        super().__init__(pb_utils.MetricFamily.GAUGE, name, description, label, values)

    def set(self, value: float, of: str = "") -> None:
        self._of(of).set(value)


class Histogram(_Family):
    """How often what was seen is at most each of `buckets`, ascending; `+Inf` is added. With it come sum and count."""

    def __init__(
        self,
        name: str,
        description: str,
        buckets: Sequence[float],
        label: str = "",
        values: Sequence[str] = (),
    ) -> None:
        self._buckets = [float(bucket) for bucket in buckets]
        super().__init__(pb_utils.MetricFamily.HISTOGRAM, name, description, label, values)

    def observe(self, value: float, of: str = "") -> None:
        self._of(of).observe(value)

    def _make(self, labels: dict[str, str]) -> Any:
        return self._family.Metric(labels=labels, buckets=self._buckets)
