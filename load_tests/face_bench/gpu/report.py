"""What the check found, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from face_bench.gpu.agreement import Difference
from face_bench.gpu.card import Card
from face_bench.gpu.reference import ReferenceSpeed
from face_bench.machine import Machine
from face_bench.output import Table, errors_text, optional


@dataclass(frozen=True)
class Configuration:
    """How the server runs. instances: of `mtcnn`; None: as its configuration says."""

    networks: str
    decode: str
    instances: int | None = None

    @property
    def name(self) -> str:
        return f"{self.networks}, decode {self.decode}" + (f", {self.instances} instances" if self.instances else "")


@dataclass(frozen=True)
class Step:
    """One number of clients for a while.

    batch: images an execution of each model that Triton itself executed. server_ms, client_ms: processor time an image
    of the server's processes and of the load generator's. stages: milliseconds on the cascade's clock an image, summed
    over its instances. gpu_percent, gpu_memory_mb: None without a card.
    """

    configuration: str
    model: str
    clients: int
    seconds: float
    images: int
    images_per_second: float
    p50_ms: float
    p95_ms: float
    errors: dict[str, int]
    batch: dict[str, float]
    server_ms: float
    client_ms: float
    client_processes: int
    server_cores: float
    other_cores: float
    gpu_percent: float | None
    gpu_memory_mb: float | None
    stages: dict[str, float]


@dataclass(frozen=True)
class Soak:
    """restarts: processes of the server that ended. The slope is that of PSS over the second half, in MB a minute."""

    configuration: str
    clients: int
    seconds: float
    images: int
    errors: dict[str, int]
    restarts: int
    first_pss_mb: float
    last_pss_mb: float
    slope_mb_a_minute: float
    gpu_memory_growth_mb: float | None


@dataclass
class Report:
    """left_out: what failed or had no time, each with its reason. starts: seconds that the server took to be ready."""

    machine: Machine
    card: Card | None
    device: str
    commit: str
    reference: ReferenceSpeed | None = None
    exactness: dict[str, list[Difference]] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    soak: Soak | None = None
    left_out: list[str] = field(default_factory=list)
    took_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> Step | None:
        return best(self.steps)

    def head(self) -> str:
        card = self.card
        shown = f"{card.name}, driver {card.driver}, {card.memory_gb:g} GB" if card else "no NVIDIA card"
        packed = f" · packed of {self.commit}" if self.commit else ""
        return f"{self.machine.line}{packed} · {shown} · asked for {self.device}"


def best(steps: Sequence[Step]) -> Step | None:
    """The most images a second among those with at most one error in a hundred answers; None where there is none."""
    good = [step for step in steps if sum(step.errors.values()) <= 0.01 * step.images]
    return max((step for step in good if step.images), key=lambda step: step.images_per_second, default=None)


def tables(report: Report) -> list[Table]:
    return [*_exactness(report), _speed(report), _stages(report), _reference(report), _rest(report)]


def _exactness(report: Report) -> list[Table]:
    header = ("picture", "sent", "theirs", "ours", "matched", "box px", "landmark px", "probability")
    return [
        Table(
            f"Beside facenet-pytorch on the same pixels: {configuration}",
            header,
            tuple(
                (
                    *(d.picture, d.sent, str(d.expected), str(d.found), str(d.matched)),
                    *(optional(value, ".5f") for value in (d.box, d.landmark)),
                    optional(d.probability, ".1e"),
                )
                for d in differences
            ),
            labels=2,
            notes=("The largest differences among faces matched at IoU 0.9.",),
        )
        for configuration, differences in report.exactness.items()
    ]


def _speed(report: Report) -> Table:
    header = ("server", "clients", "images/s", "p50 ms", "p95 ms", "batch", "server ms", "client ms", "GPU %", "GPU MB")
    rows = tuple(
        (
            f"{s.model}: {s.configuration}",
            str(s.clients),
            f"{s.images_per_second:.1f}",
            optional(s.p50_ms, ".1f"),
            optional(s.p95_ms, ".1f"),
            " ".join(f"{name} {size:.1f}" for name, size in s.batch.items() if name != "face_recognition"),
            optional(s.server_ms, ".1f"),
            optional(s.client_ms, ".1f"),
            optional(s.gpu_percent, ".0f"),
            optional(s.gpu_memory_mb, ".0f"),
        )
        for s in report.steps
    )
    wrong = tuple(f"{s.configuration}, {s.clients} clients: {errors_text(s.errors)}" for s in report.steps if s.errors)
    notes = (
        "JPEG files of 1920x1080. server ms, client ms: processor time an image, of all processes.",
        "face_recognition: FaceNet has random weights: speed only.",
        *wrong,
    )
    return Table("Images a second", header, rows, notes=notes)


def _stages(report: Report) -> Table:
    names = list(dict.fromkeys(name for step in report.steps for name in step.stages))
    rows = tuple(
        (f"{s.model}: {s.configuration}", str(s.clients), *(optional(s.stages.get(n), ".2f") for n in names))
        for s in report.steps
        if s.stages
    )
    return Table("Milliseconds an image by stage", ("server", "clients", *names), rows)


def _reference(report: Report) -> Table:
    speed, ours = report.reference, best([step for step in report.steps if step.model == "mtcnn"])
    rows = []
    for name, value in (
        ("one at a time", speed.one_at_a_time if speed else None),
        ("8 in a call", speed.batches if speed else None),
    ):
        times = ours.images_per_second / value if ours and value else None
        rows.append((name, optional(value, ".2f"), optional(times, ".1f")))
    shown = f"ours at best: {ours.configuration}, {ours.clients} clients" if ours else "ours was not measured"
    return Table("facenet-pytorch on the same device", ("", "images/s", "ours ÷ theirs"), tuple(rows), notes=(shown,))


def _rest(report: Report) -> Table:
    soak = report.soak
    rows = [(f"start: {name}", f"{seconds:.1f} s") for name, seconds in report.starts.items()]
    rows += [(f"took: {name}", f"{seconds:.1f} s") for name, seconds in report.took_seconds.items()]
    if soak:
        rows += [
            ("soak", f"{soak.configuration}, {soak.clients} clients, {soak.seconds:.0f} s"),
            ("soak: images, errors, restarts", f"{soak.images}, {errors_text(soak.errors)}, {soak.restarts}"),
            ("soak: PSS at first, at last", f"{soak.first_pss_mb:.0f} MB, {soak.last_pss_mb:.0f} MB"),
            ("soak: slope of PSS", optional(soak.slope_mb_a_minute, "+.1f") + " MB a minute"),
            ("soak: growth of GPU memory", optional(soak.gpu_memory_growth_mb, "+.0f") + " MB"),
        ]
    return Table("The rest", ("", ""), tuple(rows), labels=2, notes=tuple(f"left out: {t}" for t in report.left_out))
