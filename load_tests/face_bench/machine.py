"""The machine and the software of a run."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

CHECKOUT = Path(__file__).parents[2]

_PACKAGES = ("torch", "numpy", "numba", "opencv-python-headless", "nvidia-pytriton", "tritonclient")


@dataclass(frozen=True)
class Machine:
    """cores: those this process may use. commit: of the checkout, with a note where files differ from it."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    date: str
    commit: str

    @classmethod
    def here(cls) -> "Machine":
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            packages={name: version(name) for name in _PACKAGES} | {"torch": str(torch.__version__)},
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=_commit(),
        )

    @property
    def line(self) -> str:
        """At the head of every report."""
        parts = (
            self.processor,
            f"{self.cores} cores",
            f"{self.memory_gb:g} GB",
            f"Python {self.python}",
            f"torch {self.packages.get('torch', '?')}",
            self.date,
            f"commit {self.commit or 'unknown'}",
        )
        return " · ".join(parts)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _commit() -> str:
    """Empty outside a git checkout."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit} with changes" if commit and changed else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
