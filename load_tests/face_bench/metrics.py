"""Counters from a Prometheus endpoint, such as Triton's, and what they grew by.

Labels that a question does not name are summed over: Triton adds model and version to each.
"""

import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from face_bench.errors import BenchError

_TIMEOUT_S = 10.0

Labels = frozenset[tuple[str, str]]
Series = tuple[str, Labels]

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?$")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


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


def scrape(url: str) -> Metrics:
    """Reads an endpoint now. Raises BenchError where it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            return parse(response.read().decode())
    except OSError as error:
        raise BenchError(f"the server's metrics cannot be read at {url}: {error}") from error


def parse(text: str) -> Metrics:
    """Prometheus' text format 0.0.4. Lines that are no sample are passed over."""
    samples: dict[Series, float] = {}
    for line in text.splitlines():
        if found := _SAMPLE.match(line.strip()):
            samples[found["name"], _labels(found["labels"] or "")] = float(found["value"])
    return Metrics(samples)


def _labels(text: str) -> Labels:
    return frozenset((name, _unescape(value)) for name, value in _LABEL.findall(text))


def _unescape(value: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: _ESCAPES[found[0]], value)
