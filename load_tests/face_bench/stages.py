"""Where our time goes, from the live server's own counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from face_bench.contenders import OURS, Measured
from face_bench.latency import Measurements
from face_bench.metrics import Metrics
from face_bench.pictures import Picture
from face_cascade.networks import STAGES as NETWORKS

STAGE_SECONDS = "mtcnn_stage_seconds_sum"
WORK_SECONDS = "mtcnn_work_seconds_total"
ROWS = "mtcnn_rows_total"

STAGES = ("decode", "integral", "pnet", "nms", "rnet", "onet", "other", "answer")
TRANSPORT = "transport"
WORK = tuple(network.name for network in NETWORKS)


@dataclass(frozen=True)
class Breakdown:
    """Medians over the measured requests for one picture, sent in one way.

    stages: milliseconds on the clock of each stage, `transport` being what the client waited beyond them all: gRPC,
    queue, copies into and out of the cascade's process. work: milliseconds summed over the server's threads; with
    several threads at work, more than the stage took. rows: of each network's input. All empty where the server has
    no such counters.
    """

    picture: str
    contender: str
    total_ms: float
    stages: dict[str, float]
    work: dict[str, float]
    rows: dict[str, float]


def break_down(measurements: Measurements, pictures: Sequence[Picture]) -> list[Breakdown]:
    """Our ways on every picture."""
    return [
        _breakdown(picture.name, contender, measured)
        for picture in pictures
        for contender in OURS
        if (measured := measurements.of(picture, contender))
    ]


def _breakdown(picture: str, contender: str, measured: Sequence[Measured]) -> Breakdown:
    counters = [m.counters for m in measured if m.counters is not None]
    return Breakdown(
        picture,
        contender,
        1e3 * median(m.seconds for m in measured),
        _scaled(_medians([_stage_seconds(m) for m in measured]), 1e3),
        _scaled(_medians([_known(c, WORK_SECONDS, "work", WORK) for c in counters]), 1e3),
        _medians([c.by(ROWS, "network") for c in counters]),
    )


def _stage_seconds(measured: Measured) -> dict[str, float]:
    """Seconds of each stage and of transport for one request; empty without counters."""
    if measured.counters is None:
        return {}
    stages = _known(measured.counters, STAGE_SECONDS, "stage", STAGES)
    if not stages:
        return {}
    return {**stages, TRANSPORT: measured.seconds - sum(stages.values())}


def _known(counters: Metrics, name: str, label: str, order: Sequence[str]) -> dict[str, float]:
    """By label in the order of the cascade; labels of a newer server come last."""
    values = counters.by(name, label)
    return {key: values[key] for key in [*order, *sorted(values.keys() - set(order))] if key in values}


def _medians(samples: Sequence[dict[str, float]]) -> dict[str, float]:
    if not samples:
        return {}
    # A counter appears with its first use, so the last sample has the most.
    return {key: median(sample.get(key, 0.0) for sample in samples) for key in samples[-1]}


def _scaled(values: dict[str, float], factor: float) -> dict[str, float]:
    return {key: value * factor for key, value in values.items()}
