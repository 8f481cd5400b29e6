"""The graphics card: what it is, and how busy and full it is while something runs. Without one, or without NVIDIA's
library, there is nothing to tell."""

import threading
import time
from dataclasses import dataclass
from types import ModuleType, TracebackType

_INTERVAL_S = 0.1
_MB = 1e6


@dataclass(frozen=True)
class Card:
    name: str
    driver: str
    memory_gb: float


@dataclass(frozen=True)
class GpuUse:
    """percent: of the time in which something ran on it, the mean. memory_mb: of all its programs, the most."""

    percent: float
    memory_mb: float


def card() -> Card | None:
    """The first one; None where there is none."""
    nvml = _nvml()
    if nvml is None:
        return None
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    total = nvml.nvmlDeviceGetMemoryInfo(handle).total
    return Card(_text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlSystemGetDriverVersion()), round(total / 1e9, 1))


class CardWatcher:
    """Looks at the card ten times a second for as long as the block lasts."""

    def __init__(self) -> None:
        self._nvml = _nvml()
        self._readings: list[tuple[float, float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "CardWatcher":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def between(self, start: float, end: float) -> GpuUse | None:
        """Within two times of `time.perf_counter`."""
        within = [(percent, memory) for at, percent, memory in list(self._readings) if start <= at <= end]
        if not within:
            return None
        return GpuUse(sum(percent for percent, _ in within) / len(within), max(memory for _, memory in within))

    def _watch(self) -> None:
        if self._nvml is None:
            return
        handle = self._nvml.nvmlDeviceGetHandleByIndex(0)
        while not self._stopping.wait(_INTERVAL_S):
            percent = self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu
            memory = self._nvml.nvmlDeviceGetMemoryInfo(handle).used / _MB
            self._readings.append((time.perf_counter(), float(percent), memory))


def _nvml() -> ModuleType | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        pynvml.nvmlDeviceGetHandleByIndex(0)
    except Exception:  # no library, no driver, no card: each has an error of its own
        return None
    module: ModuleType = pynvml
    return module


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
