"""Counters from a Prometheus endpoint, such as Triton's, and what they grew by.

Labels that a question does not name are summed over: Triton adds model and version to each.
"""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from face_bench import BenchError

_TIMEOUT_S = 10.0

Labels = frozenset[tuple[str, str]]
Series = tuple[str, Labels]


@dataclass(frozen=True)
class Metrics:
    """One reading of an endpoint, or the difference of two."""

    samples: Mapping[Series, float]

    def since(self, before: "Metrics") -> "Metrics":
        """Growth of every series; one that was not there before has grown from zero."""
        return Metrics({series: value - before.samples.get(series, 0) for series, value in self.samples.items()})

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of a metric over all series that carry these labels; None where there is none."""
        wanted = labels.items()
        values = [v for (n, present), v in self.samples.items() if n == name and wanted <= present]
        return sum(values) if values else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums of a metric for every value of one label; empty where the metric is absent."""
        sums: dict[str, float] = {}
        for (sample, labels), value in self.samples.items():
            key = dict(labels).get(label)
            if sample == name and key is not None:
                sums[key] = sums.get(key, 0) + value
        return sums

    def batches(self) -> dict[str, float]:
        """Of a growth: inference count ÷ execution count of every model that Triton executed."""
        inferences, executions = self.by("nv_inference_count", "model"), self.by("nv_inference_exec_count", "model")
        return {model: inferences[model] / count for model, count in sorted(executions.items()) if count > 0}


def scrape(url: str) -> Metrics:
    """Reads an endpoint now. Raises BenchError where it does not answer, or with something else than metrics."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            return parse(response.read().decode())
    except (OSError, ValueError) as error:
        raise BenchError(f"the server's metrics cannot be read at {url}: {error}") from error


def parse(text: str) -> Metrics:
    """Prometheus' text format 0.0.4. Raises ValueError for anything else."""
    # Without types: the parser calls a counter NAME_total, whatever its name is, and Triton's are called otherwise.
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    samples = [sample for family in families for sample in family.samples]
    return Metrics({(sample.name, frozenset(sample.labels.items())): float(sample.value) for sample in samples})
