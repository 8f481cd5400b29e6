"""A deployment: export, comparison, gate, question, switch; and the way back. Everything raises DeployError."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from face_admin.deploy.comparison import Gate
from face_admin.deploy.errors import DeployError, GateClosed
from face_admin.deploy.judging import Album, Judgement, Named, check_alive, differs, judge
from face_admin.deploy.store import Deployment, Store
from face_admin.deploy.switching import Control, running, switch
from face_client import FaceClient
from face_client.options import DetectOptions
from face_client.tls import Tls
from face_export.exporter import export_stage, model_path
from face_export.readers import read_stage
from face_repository.versions import to_text


@dataclass(frozen=True)
class Server:
    """A running server: its model control, and a client that asks it about pictures."""

    control: Control
    client: FaceClient

    @classmethod
    @contextmanager
    def at(cls, url: str, key: str, tls: Tls | None, timeout: float) -> Iterator["Server"]:
        """url: host:port of its gRPC endpoint. key: opens its model control. timeout: seconds for one picture."""
        with Control(url, key, tls) as control, FaceClient(url, timeout=timeout, tls=tls) as client:
            yield cls(control, client)


class Audience(Protocol):
    """Whoever follows a deployment."""

    def follow(self, pictures: Collection[Named]) -> Iterable[Named]:
        """Gives the pictures as they are compared; called when the comparison begins."""

    def show(self, judgement: Judgement) -> None:
        """Is shown how the candidate compares, good enough or not."""

    def confirm(self, question: str) -> None:
        """Raises DeployError for no. Is asked when nothing but the switch is left to do."""


@dataclass(frozen=True)
class Trial:
    """A candidate, and what it is judged by.

    weights: files of new weights as `faces export` takes them, by network. trust: pickles may be read, which can run
    code. options: of detection, when comparing.
    """

    store: Store
    weights: Mapping[str, Path]
    album: Album
    gate: Gate
    options: DetectOptions
    trust: bool = False

    def judge(self, live: Mapping[str, int], staging: Path, audience: Audience) -> Judgement:
        """Exports the candidate into the staging folder, and compares it with the live versions.

        Raises GateClosed where it is not good enough; ExportError where it cannot be exported.
        """
        files = {network: self._exported(network, path, staging) for network, path in self.weights.items()}
        live_files = {network: self.store.file(network, number) for network, number in live.items()}
        judgement = judge(live_files, files, self.album, self.gate, self.options, audience.follow)
        audience.show(judgement)
        if judgement.failures:
            raise GateClosed(f"the candidate fails the gate: {'; '.join(judgement.failures)}; nothing was changed")
        return judgement

    def _exported(self, network: str, weights: Path, staging: Path) -> Path:
        number = self.store.next_number(network)
        export_stage(network, read_stage(network, weights, self.trust), staging, number)
        return model_path(staging, network, number)


def compare_only(trial: Trial, audience: Audience) -> None:
    """Export and compare with the highest versions, without a server. Also raises ExportError."""
    with trial.store.staging() as staging:
        trial.judge(trial.store.live(), staging, audience)


def deploy(trial: Trial, server: Server, audience: Audience) -> dict[str, int]:
    """Export, compare, show, ask, switch; returns all versions that are live then. Also raises ExportError."""
    store, url = trial.store, server.control.url
    with store.staging() as staging:
        server.control.check()
        before = running(store, server.control)
        answers = trial.judge(before, staging, audience).answers
        difference = differs(server.client, answers.live, trial.album.pictures, trial.options)
        if difference:
            raise DeployError(
                f"the server at {url} does not answer as {to_text(before)} of {store.path} do: {difference}; "
                "start it again, or give its own --repository"
            )
        audience.confirm(f"switch the server at {url} to the new {', '.join(trial.weights)}?")

        def check() -> None:
            difference = differs(server.client, answers.candidate, trial.album.pictures, trial.options)
            if difference:
                raise DeployError(f"the server does not answer as the candidate does: {difference}")

        time = _now()
        deployments = {network: Deployment(time, before[network]) for network in trial.weights}
        return switch(store, server.control, staging, deployments, check)


def roll_back(store: Store, server: Server) -> dict[str, int]:
    """Brings back what was live before the last deployment; returns all versions that are live then."""
    with store.staging() as staging:
        server.control.check()
        before, way_back, time = running(store, server.control), store.way_back(), _now()
        store.copy(staging, way_back)
        deployments = {network: Deployment(time, before[network], copy_of=old) for network, old in way_back.items()}
        return switch(store, server.control, staging, deployments, lambda: check_alive(server.client))


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()
