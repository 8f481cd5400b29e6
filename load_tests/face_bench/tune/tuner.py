"""Measures settings, each with a server of its own, and leaves the best one in the model repository."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from face_bench import BenchError
from face_bench.gpu.card import Card, card
from face_bench.gpu.check import edited_repository, visible
from face_bench.gpu.steps import measure
from face_bench.machine import Machine
from face_bench.output import Table, optional
from face_bench.pictures import Picture
from face_bench.tune.search import Search, Setting, Space, Trial
from face_bench.wire import JPEG, MODEL, picture_requests
from face_client import FaceError
from face_repository import configurations
from face_repository.tuned import Tuned
from face_server import EmbeddedTriton, ServerError, Settings

_START_TIMEOUT_S = 180


@dataclass(frozen=True)
class Plan:
    """seconds: of a measurement, and of the warming up before it. p95: bound in ms, or None."""

    repository: Path
    pictures: Sequence[Picture]
    pictures_name: str
    device: str
    clients: int
    seconds: float
    p95: float | None
    space: Space


@dataclass
class Report:
    """trials: in the order of measuring; the first one is what is configured. best: None until the search ended."""

    machine: Machine
    card: Card | None
    device: str
    clients: int
    seconds: float
    pictures: str
    p95: float | None
    trials: list[Trial] = field(default_factory=list)
    best: Trial | None = None

    def head(self) -> str:
        return f"{self.machine.line} · {self._card}"

    @property
    def measured(self) -> tuple[str, ...]:
        """What the configuration says of how it came about."""
        best, before = self.best, self.trials[0]
        assert best is not None
        bound = f", p95 within {self.p95:g} ms" if self.p95 is not None else ""
        return (
            f"Measured on {self.machine.processor}, {self.machine.cores} cores, {self._card}, {self.machine.date}:",
            f"{self.clients} clients, {self.pictures}{bound}: {_numbers(best)}.",
            f"Without tuning ({before.setting.name}): {before.failed or _numbers(before)}.",
        )

    @property
    def _card(self) -> str:
        return self.card.name if self.card and self.device == "cuda" else "no GPU"


def _numbers(trial: Trial) -> str:
    return f"{trial.images_per_second:.1f} images/s, p50 {trial.p50_ms:.1f} ms, p95 {trial.p95_ms:.1f} ms"


def configured(repository: Path, device: str) -> Setting:
    """What a server takes that is not tuned."""
    config = configurations.read(repository / MODEL / "config.pbtxt")
    name = configurations.EMBEDDED_GPU if device == "cuda" else configurations.EMBEDDED
    derived = configurations.derive(config, name)
    instances = sum(max(1, group.count) for group in derived.instance_group)
    return Setting(instances, derived.max_batch_size, derived.dynamic_batching.max_queue_delay_microseconds)


def tune(plan: Plan, say: Callable[[str], None], log: Callable[[str], None], save: Callable[[Report], None]) -> Report:
    """Searches, and writes the best setting into the repository.

    say: called with a line for each setting. log: with each line of the servers' logs. save: with the report, whenever
    there is more in it.

    Raises:
        BenchError: nothing was found, or it cannot be written. What was there before stays.
    """
    report = Report(Machine.here(), card(), plan.device, plan.clients, plan.seconds, plan.pictures_name, plan.p95)
    say(report.head())

    def trial(setting: Setting) -> Trial:
        say(f"{len(report.trials) + 1}: {setting.name} …")
        log(f"=== {setting.name}")
        found = _measured(plan, setting, log)
        say(f"   {found.failed or _numbers(found)}, images a batch {optional(found.images_a_batch, '.1f')}")
        report.trials.append(found)
        save(report)
        return found

    report.best = Search(trial, plan.p95).best(configured(plan.repository, plan.device), plan.space)
    save(report)
    _keep(plan.repository, report)
    return report


def _measured(plan: Plan, setting: Setting, log: Callable[[str], None]) -> Trial:
    try:
        with _server(plan, setting, log) as triton:
            requests = picture_requests(triton.grpc_url, MODEL, plan.pictures, (JPEG,))
            # Kernels are chosen and compiled for the shapes that a full server has.
            measure(triton, setting.name, requests, MODEL, plan.clients, plan.seconds)
            return Trial.of(setting, measure(triton, setting.name, requests, MODEL, plan.clients, plan.seconds))
    except (BenchError, ServerError, FaceError) as error:
        # So many instances may be too much for the card's memory.
        return Trial(setting, failed=str(error).strip().splitlines()[-1])


@contextmanager
def _server(plan: Plan, setting: Setting, log: Callable[[str], None]) -> Iterator[EmbeddedTriton]:
    """As it will serve: by the configuration that is derived from the setting."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory())) / "model_repository"
        edited_repository(plan.repository, folder, None)
        _tuned(setting, plan.device).write(folder)
        stack.enter_context(visible(plan.device))
        settings = Settings(configuration=configurations.TUNED, start_timeout=_START_TIMEOUT_S)
        yield stack.enter_context(EmbeddedTriton(folder, settings, log))


def _tuned(setting: Setting, device: str, measured: tuple[str, ...] = ()) -> Tuned:
    return Tuned(setting.instances, setting.batch, setting.delay_us, device == "cuda", measured)


def _keep(repository: Path, report: Report) -> None:
    assert report.best is not None
    try:
        _tuned(report.best.setting, report.device, report.measured).write(repository)
        configurations.refresh(repository)
    except (OSError, configurations.RepositoryError) as error:
        raise BenchError(f"the result cannot be written: {error}") from error


def tables(report: Report) -> list[Table]:
    header = ("instances", "batch", "delay µs", "images/s", "p50 ms", "p95 ms", "images a batch", "GPU %", "GPU MB", "")
    rows = tuple(
        (
            *(str(value) for value in (t.setting.instances, t.setting.batch, t.setting.delay_us)),
            *(optional(value, ".1f") for value in (t.images_per_second, t.p50_ms, t.p95_ms, t.images_a_batch)),
            *(optional(value, ".0f") for value in (t.gpu_percent, t.gpu_memory_mb)),
            _remark(report, t),
        )
        for t in report.trials
    )
    notes = (f"{report.clients} clients, {report.pictures}, {report.seconds:g} s a setting.",)
    return [Table("Settings in the order of trying", header, rows, labels=0, notes=notes)]


def _remark(report: Report, trial: Trial) -> str:
    if trial.failed:
        return trial.failed
    parts = [
        "so far" if trial is report.trials[0] else "",
        "p95 too long" if report.p95 is not None and trial.p95_ms > report.p95 else "",
        "best" if report.best is not None and trial.setting == report.best.setting else "",
    ]
    return ", ".join(filter(None, parts))
