"""Everything that a run found out, and its JSON form."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from face_bench.agreement import Agreement
from face_bench.floor import Floor
from face_bench.latency import Latency, Ratio
from face_bench.machine import Machine
from face_bench.memory import MemoryUse
from face_bench.stages import Breakdown
from face_bench.sweep import SweepStep

FORMAT = 1
"""Grows when a field changes its meaning or goes."""


@dataclass(frozen=True)
class PeerStatus:
    """about: versions and threads as the worker gives them. problem: why it was not measured; empty if it was."""

    name: str
    about: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class RunSettings:
    warm_up: int
    rounds: int
    networks: str
    jpeg_quality: int
    sweep_seconds: float


@dataclass
class Report:
    """Filled part by part; a part that was not run stays empty."""

    machine: Machine
    settings: RunSettings
    peers: list[PeerStatus] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)
    other_cores: float | None = None
    """What everything else on the machine used while latency was measured; it should be next to nothing."""
    matrix_gflops: float | None = None
    floor: list[Floor] = field(default_factory=list)
    stages: list[Breakdown] = field(default_factory=list)
    sweep: list[SweepStep] = field(default_factory=list)
    memory: MemoryUse | None = None


def to_json(report: Report) -> str:
    """Numbers that do not exist (no measurement to take them of) are null."""
    return json.dumps({"format": FORMAT, **finite(asdict(report))}, indent=1) + "\n"


def write_json(report: Report, path: Path) -> None:
    path.write_text(to_json(report))


def finite(value: Any) -> Any:
    """For JSON: what is no number becomes None, at any depth."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
