"""A deployment: export, comparison, gate, question, switch; and the way back. Everything raises DeployError."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from face_admin.deploy.comparison import Gate
from face_admin.deploy.errors import DeployError, GateClosed
from face_admin.deploy.judging import Album, Judgement, Named, check_alive, differs, judge
from face_admin.deploy.servers import Fleet, Replica
from face_admin.deploy.store import Deployment, Store
from face_admin.deploy.switching import Member, running, switch
from face_client.options import DetectOptions
from face_export.exporter import export_stage, model_path
from face_export.readers import read_stage
from face_repository.versions import to_text


class Audience(Protocol):
    """Whoever follows a deployment."""

    def follow(self, pictures: Collection[Named]) -> Iterable[Named]:
        """Gives the pictures as they are compared; called when the comparison begins."""

    def show(self, judgement: Judgement) -> None:
        """Is shown how the candidate compares, good enough or not."""

    def confirm(self, question: str) -> None:
        """Raises DeployError for no. Is asked when nothing but the switch is left to do."""

    def hear(self, sentence: str) -> None:
        """Of each server that has switched."""


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


def deploy(trial: Trial, fleet: Fleet, audience: Audience) -> None:
    """Export, compare, show, ask, switch all servers. Also raises ExportError."""
    store = trial.store
    with store.staging() as staging:
        replicas = fleet.newcomers()
        before = running(store, [replica.control for replica in replicas])
        answers = trial.judge(before, staging, audience).answers
        for replica in replicas:
            difference = differs(replica.client, answers.live, trial.album.pictures, trial.options)
            if difference:
                raise DeployError(
                    f"the server at {replica.url} does not answer as {to_text(before)} of {store.path} do: "
                    f"{difference}; start it again, or give its own --repository"
                )
        audience.confirm(f"switch {_in_words(replicas)} to the new {', '.join(trial.weights)}?")

        def check(replica: Replica) -> None:
            difference = differs(replica.client, answers.candidate, trial.album.pictures, trial.options)
            if difference:
                raise DeployError(f"the server at {replica.url} does not answer as the candidate does: {difference}")

        time = _now()
        deployments = {network: Deployment(time, before[network]) for network in trial.weights}
        _switch(store, fleet, replicas, staging, deployments, check, audience)


def roll_back(store: Store, fleet: Fleet, audience: Audience) -> None:
    """Brings back what was live before the last deployment, on all servers."""
    with store.staging() as staging:
        replicas = fleet.newcomers()
        before, way_back, time = running(store, [replica.control for replica in replicas]), store.way_back(), _now()
        store.copy(staging, way_back)
        deployments = {network: Deployment(time, before[network], copy_of=old) for network, old in way_back.items()}
        _switch(store, fleet, replicas, staging, deployments, lambda replica: check_alive(replica.client), audience)


def _switch(
    store: Store,
    fleet: Fleet,
    replicas: Iterable[Replica],
    staging: Path,
    deployments: Mapping[str, Deployment],
    check: Callable[[Replica], None],
    audience: Audience,
) -> None:
    def members(replicas: Iterable[Replica]) -> list[Member]:
        return [Member(replica.control, partial(check, replica)) for replica in replicas]

    switch(store, members(replicas), staging, deployments, lambda: members(fleet.newcomers()), audience.hear)


def _in_words(replicas: Collection[Replica]) -> str:
    urls = ", ".join(replica.url for replica in replicas)
    return f"the server at {urls}" if len(replicas) == 1 else f"the {len(replicas)} servers at {urls}"


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()
