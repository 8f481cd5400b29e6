"""The search: one value after the other, as long as it gets better. What a setting gives is asked of a function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from face_bench import BenchError
from face_bench.gpu.report import Step
from face_bench.wire import MODEL

GAIN = 1.03
"""Less than 3 % is no reason to go on: two measurements of the same setting differ by as much."""

MOST_ERRORS = 0.01
"""Of the answers; a setting with more is no choice."""


@dataclass(frozen=True)
class Setting:
    """instances: of `mtcnn`, on each GPU. batch: images it takes at once. delay_us: so long a smaller batch waits."""

    instances: int
    batch: int
    delay_us: int

    @property
    def name(self) -> str:
        instances = "1 instance" if self.instances == 1 else f"{self.instances} instances"
        return f"{instances}, batch {self.batch}, delay {self.delay_us} µs"


@dataclass(frozen=True)
class Trial:
    """A setting and what it gave. images_a_batch, gpu_percent, gpu_memory_mb: None where unknown. failed: why it is no
    choice, else empty."""

    setting: Setting
    images_per_second: float = 0.0
    p50_ms: float = float("nan")
    p95_ms: float = float("nan")
    images_a_batch: float | None = None
    gpu_percent: float | None = None
    gpu_memory_mb: float | None = None
    failed: str = ""

    @classmethod
    def of(cls, setting: Setting, step: Step) -> "Trial":
        wrong = sum(step.errors.values())
        failed = f"{wrong} errors beside {step.images} images" if wrong > MOST_ERRORS * step.images else ""
        return cls(
            setting,
            step.images_per_second,
            step.p50_ms,
            step.p95_ms,
            step.batch.get(MODEL),
            step.gpu_percent,
            step.gpu_memory_mb,
            failed or ("" if step.images else "no image was answered"),
        )


@dataclass(frozen=True)
class Space:
    """Values to try, in the order of trying: instances and delays ascending, batches descending."""

    instances: Sequence[int]
    batches: Sequence[int]
    delays_us: Sequence[int]


class Search:
    """measure: called once for each setting. p95: what that latency may be at most, in ms; None: anything."""

    def __init__(self, measure: Callable[[Setting], Trial], p95: float | None = None) -> None:
        self._measure, self._p95 = measure, p95
        self.trials: dict[Setting, Trial] = {}

    def best(self, configured: Setting, space: Space) -> Trial:
        """The best that was found on the way, beginning with the first value of each.

        configured: the setting that serves so far. It is measured first, and is the answer where the search ends at
        something that is not as good.

        Raises:
            BenchError: no setting gave answers, or none kept the bound.
        """
        before = self._trial(configured)
        best = self._trial(Setting(space.instances[0], space.batches[0], space.delays_us[0]))
        best = self._climb(best, [replace(best.setting, instances=n) for n in space.instances])
        best = self._climb(best, [replace(best.setting, batch=n) for n in space.batches])
        best = self._climb(best, [replace(best.setting, delay_us=n) for n in space.delays_us])
        if self._is_better(before, best):
            best = before
        if best.failed:
            raise BenchError(f"no setting could be measured; {best.setting.name}: {best.failed}")
        if not self._keeps_bound(best):
            raise BenchError(
                f"none of {len(self.trials)} settings kept p95 within {self._p95:g} ms: the shortest was "
                f"{best.p95_ms:.1f} ms ({best.setting.name}); allow more with --p95, or ask with fewer --clients"
            )
        return best

    def _climb(self, best: Trial, settings: Sequence[Setting]) -> Trial:
        """From the first setting, which is the best's, for as long as the next one is better."""
        for setting in settings[1:]:
            trial = self._trial(setting)
            if not self._is_better(trial, best):
                break
            best = trial
        return best

    def _trial(self, setting: Setting) -> Trial:
        if setting not in self.trials:
            self.trials[setting] = self._measure(setting)
        return self.trials[setting]

    def _is_better(self, new: Trial, old: Trial) -> bool:
        """More images a second within the bound; while nothing keeps that, a shorter p95. By GAIN, both."""
        if new.failed or old.failed:
            return not new.failed
        if self._keeps_bound(new) and self._keeps_bound(old):
            return new.images_per_second >= GAIN * old.images_per_second
        return self._keeps_bound(new) or (not self._keeps_bound(old) and new.p95_ms * GAIN <= old.p95_ms)

    def _keeps_bound(self, trial: Trial) -> bool:
        return self._p95 is None or trial.p95_ms <= self._p95
