"""One run of the check: everything is started, measured and stopped here, within a limit of time."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf import text_format

from face_bench import BenchError
from face_bench.contenders import FoundFaces
from face_bench.gpu.agreement import difference
from face_bench.gpu.card import CardWatcher, card
from face_bench.gpu.clients import Clients, processes_for
from face_bench.gpu.reference import ask_reference
from face_bench.gpu.report import Configuration, Report, Soak, Step
from face_bench.gpu.scenes import scenes
from face_bench.gpu.steps import measure
from face_bench.machine import CHECKOUT, Machine
from face_bench.pictures import Picture
from face_bench.processes import INTERVAL_S, server_state
from face_bench.spread import slope
from face_bench.wire import JPEG, MODEL, RAW, RECOGNITION, Request, picture_requests
from face_client import FaceClient, FaceError
from face_export.exporter import export_facenet
from face_export.readers.facenet import random_weights
from face_repository import configurations, tuned
from face_server import EmbeddedTriton, ServerError, Settings
from face_server.settings import CHOICES

_FIRST_START_S = 40.0
"""Taken for a start until one has been seen."""

_CLIENT_TIMEOUT_S = 120.0

_MB = 1e6


@dataclass(frozen=True)
class Plan:
    """What to run. seconds: of each step; clients: in ascending order. limit: seconds for the whole run."""

    repository: Path
    photos: list[Picture]
    device: str
    seconds: float
    clients: tuple[int, ...]
    networks: tuple[str, ...]
    decode: tuple[str, ...]
    instances: tuple[int | None, ...]
    engine: str
    soak: float
    limit: float
    reference: bool = True
    recognition: bool = True


@dataclass
class Budget:
    """Of time, from now on. reserved: kept for what comes last."""

    limit: float
    reserved: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return self.limit - self.reserved - (time.monotonic() - self.started)


class Check:
    """log: called with each line of the server's log. save: called with the report whenever there is more in it."""

    def __init__(
        self, plan: Plan, say: Callable[[str], None], log: Callable[[str], None], save: Callable[[Report], None]
    ) -> None:
        self._plan, self._say, self._log, self._save = plan, say, log, save
        commit = CHECKOUT / "COMMIT"
        self.report = Report(Machine.here(), card(), plan.device, commit.read_text().strip() if commit.exists() else "")
        self._scenes = scenes(plan.photos)
        self._expected: list[FoundFaces] = []
        self._cores = len(os.sched_getaffinity(0))
        self._budget = Budget(plan.limit, reserved=plan.soak + _FIRST_START_S if plan.soak else 0)

    def run(self) -> Report:
        plan = self._plan
        self._say(self.report.head())
        if plan.reference:
            with self._part("facenet-pytorch"):
                self._ask_reference()
        for instances, networks, decode in product(plan.instances, plan.networks, plan.decode):
            configuration = Configuration(networks, decode, instances)
            if self._fits(configuration.name, self._start_s + (len(plan.clients) + 1) * (plan.seconds + 2)):
                with self._part(configuration.name):
                    self._measure(configuration)
        winner = self.report.best
        if winner is None:
            self.report.left_out.append("FaceNet and soak: no configuration was measured with next to no errors")
        else:
            self._measure_recognition(winner)
            self._budget.reserved = 0
            self._soak_at(winner)
        self._save(self.report)
        return self.report

    @property
    def _start_s(self) -> float:
        return 1.2 * max(self.report.starts.values(), default=_FIRST_START_S)

    def _fits(self, name: str, seconds: float) -> bool:
        if seconds <= self._budget.left:
            return True
        self._leave_out(f"{name}: would take {seconds:.0f} s, {max(0, self._budget.left):.0f} s are left")
        return False

    def _leave_out(self, text: str) -> None:
        self._say(f"left out: {text}")
        self.report.left_out.append(text)

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """One part of the run: it may fail, and the others go on."""
        self._say(f"{name} …")
        started = time.monotonic()
        try:
            yield
        except (BenchError, ServerError, FaceError, OSError) as error:
            self._leave_out(f"{name}: {error}")
        self.report.took_seconds[name] = time.monotonic() - started
        self._save(self.report)

    def _ask_reference(self) -> None:
        plan = self._plan
        pictures = [*plan.photos, *self._scenes]
        timeout = max(30.0, self._budget.left)
        self.report.reference, self._expected = ask_reference(
            plan.device, pictures, self._scenes, plan.seconds, timeout
        )
        speed = self.report.reference
        self._say(f"  facenet-pytorch: {speed.one_at_a_time:.2f} images/s, 8 in a call {speed.batches:.2f}")

    @contextmanager
    def _server(self, configuration: Configuration, facenet_crops: str | None = None) -> Iterator[EmbeddedTriton]:
        self._log(f"=== {configuration.name}")
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory())) / "model_repository"
            edited_repository(self._plan.repository, folder, configuration.instances)
            if facenet_crops:
                export_facenet(random_weights(), folder)
            stack.enter_context(visible(self._plan.device))
            # Without a GPU the same engine runs on the processor.
            settings = Settings(
                networks=configuration.networks,
                engine=self._plan.engine,
                decode=configuration.decode,
                facenet_crops=facenet_crops,
                start_timeout=180,
            )
            started = time.monotonic()
            triton = stack.enter_context(EmbeddedTriton(folder, settings, self._log))
            self.report.starts[_with_crops(configuration.name, facenet_crops)] = time.monotonic() - started
            yield triton

    def _measure(self, configuration: Configuration) -> None:
        plan = self._plan
        with self._server(configuration) as triton:
            if self._expected:
                self._compare(triton, configuration)
            requests = picture_requests(triton.grpc_url, MODEL, self._scenes, (JPEG,))
            # Kernels are chosen and compiled for the shapes that a full server has.
            measure(triton, configuration.name, requests, MODEL, max(plan.clients), plan.seconds)
            for clients in plan.clients:
                if self._fits(f"{configuration.name}, {clients} clients", plan.seconds + 3):
                    self._keep(measure(triton, configuration.name, requests, MODEL, clients, plan.seconds))

    def _keep(self, step: Step) -> None:
        self.report.steps.append(step)
        batch = " ".join(f"{name} {size:.1f}" for name, size in step.batch.items())
        gpu = "–" if step.gpu_percent is None else f"{step.gpu_percent:.0f} %"
        self._say(
            f"  {step.model}, {step.clients} clients: {step.images_per_second:.1f} images/s, p50 {step.p50_ms:.1f} ms, "
            f"p95 {step.p95_ms:.1f} ms, server {step.server_ms:.1f} ms, client {step.client_ms:.1f} ms, GPU {gpu}, "
            f"batch {batch or '–'}, errors {step.errors or 0}"
        )
        self._save(self.report)

    def _compare(self, triton: EmbeddedTriton, configuration: Configuration) -> None:
        found = self.report.exactness.setdefault(configuration.name, [])
        with FaceClient(triton.grpc_url, retries=0, timeout=_CLIENT_TIMEOUT_S) as client:
            for picture, expected in zip([*self._plan.photos, *self._scenes], self._expected, strict=True):
                for sent, image in ((RAW, picture.decoded), (JPEG, picture.jpeg)):
                    faces = client.detect(image)
                    ours = FoundFaces.of(faces.boxes, faces.probabilities, faces.landmarks)
                    found.append(difference(picture.name, sent, ours, expected))
        for sent in (RAW, JPEG):
            part = [d for d in found if d.sent == sent]
            boxes, landmarks = (max((getattr(d, name) or 0 for d in part), default=0) for name in ("box", "landmark"))
            same = sum(d.same_faces for d in part)
            self._say(
                f"  {sent}: the same faces in {same} of {len(part)} pictures, {sum(d.matched for d in part)} matched, "
                f"largest difference of boxes {boxes:.5f} px, of landmarks {landmarks:.5f} px"
            )

    def _measure_recognition(self, winner: Step) -> None:
        plan = self._plan
        configuration = self._configuration(winner)
        for crops in CHOICES["facenet_crops"] if plan.recognition else ():
            name = f"face_recognition, crops on the {crops}, FaceNet with random weights: speed only"
            if not self._fits(name, self._start_s + 30 + 2 * (plan.seconds + 2)):
                continue
            with self._part(name), self._server(configuration, crops) as triton:
                requests = picture_requests(triton.grpc_url, RECOGNITION, self._scenes, (JPEG,))
                told = _with_crops(configuration.name, crops)
                measure(triton, told, requests, RECOGNITION, winner.clients, plan.seconds)
                self._keep(measure(triton, told, requests, RECOGNITION, winner.clients, plan.seconds))

    def _configuration(self, step: Step) -> Configuration:
        plan = self._plan
        every = (Configuration(n, d, i) for i, n, d in product(plan.instances, plan.networks, plan.decode))
        return next(configuration for configuration in every if configuration.name == step.configuration)

    def _soak_at(self, winner: Step) -> None:
        seconds = min(self._plan.soak, self._budget.left - self._start_s)
        if not self._plan.soak:
            return
        if seconds < 4 * INTERVAL_S:
            self._leave_out(f"soak: {max(0, self._budget.left):.0f} s are left")
            return
        configuration = self._configuration(winner)
        with self._part("soak"), self._server(configuration) as triton:
            requests = picture_requests(triton.grpc_url, MODEL, self._scenes, (JPEG,))
            self.report.soak = self._soak(triton, configuration, requests, winner.clients, seconds)
            soak = self.report.soak
            self._say(
                f"  soak: {soak.images} images, errors {soak.errors or 0}, restarts {soak.restarts}, "
                f"PSS {soak.slope_mb_a_minute:+.1f} MB a minute"
            )

    def _soak(
        self,
        triton: EmbeddedTriton,
        configuration: Configuration,
        requests: Sequence[Request],
        clients: int,
        seconds: float,
    ) -> Soak:
        processes = {process.pid for process in server_state(triton.pid).processes}
        with (
            CardWatcher() as gpu,
            Clients(triton.grpc_url, requests, clients, processes_for(clients, self._cores)) as load,
        ):
            start = time.perf_counter()
            memory: list[tuple[float, float]] = []
            while time.perf_counter() - start < seconds:
                memory.append((time.perf_counter() - start, server_state(triton.pid).pss / _MB))
                time.sleep(INTERVAL_S)
            end = time.perf_counter()
            latencies, errors = load.between(start, end)
            alive = {process.pid for process in server_state(triton.pid).processes}
        second = [(at, pss) for at, pss in memory if at >= seconds / 2]
        middle, late = gpu.between((start + end) / 2, (start + 3 * end) / 4), gpu.between((start + 3 * end) / 4, end)
        return Soak(
            configuration=configuration.name,
            clients=clients,
            seconds=end - start,
            images=len(latencies),
            errors=errors,
            restarts=len(processes - alive),
            first_pss_mb=memory[0][1],
            last_pss_mb=memory[-1][1],
            slope_mb_a_minute=60 * slope([at for at, _ in second], [pss for _, pss in second]),
            gpu_memory_growth_mb=late.memory_mb - middle.memory_mb if middle and late else None,
        )


def edited_repository(source: Path, target: Path, instances: int | None) -> None:
    """A copy of the model repository, untuned, in which `mtcnn` has so many instances a device, each a group of its own
    as in its configuration; None leaves them as they are."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("configs", "facenet", "__pycache__", tuned.FILE))
    shutil.copytree(source / "facenet", target / "facenet", ignore=shutil.ignore_patterns("configs", "model.pt"))
    if instances is None:
        return
    file = target / MODEL / "config.pbtxt"
    config = configurations.read(file)
    configurations.set_instances(config, instances)
    file.write_text(text_format.MessageToString(config))


def _with_crops(name: str, facenet_crops: str | None) -> str:
    return name if facenet_crops is None else f"{name}, crops on the {facenet_crops}"


@contextmanager
def visible(device: str) -> Iterator[None]:
    """A server that is started meanwhile sees the GPU only where the device is one."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        yield
    finally:
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
        elif device == "cpu":
            del os.environ["CUDA_VISIBLE_DEVICES"]
