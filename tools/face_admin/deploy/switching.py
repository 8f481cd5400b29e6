"""The switch of a running server's networks over Triton's own model control, and taking it back when it fails.

A model is loaded beside the one that serves, and takes its place when it is ready; requests that the old one has begun
it also finishes. Where the new one does not start, the old one goes on. So the new versions of the networks are loaded
beside the old ones first, then the cascade is started anew on them: every answer is wholly of the old or wholly of the
new networks, and none is lost.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from face_admin.deploy.errors import ControlError, DeployError, SwitchFailed
from face_admin.deploy.store import Deployment, Store
from face_client.tls import Tls
from face_client.wire import connection_arguments
from face_repository.layout import CASCADE
from face_repository.versions import PARAMETER, from_text, to_text
from face_server.http_api import ADMIN_HEADER
from face_server.settings import ADMIN_KEY_VARIABLE
from face_server.supervision.renewal import instances, renewed

# Triton takes restricted headers over gRPC with this before their name.
_GRPC_PREFIX = "triton-grpc-protocol-"

_ASK_SECONDS = 10.0
# Networks are compiled for the processor while it serves others.
_LOAD_SECONDS = 300.0

Answer = TypeVar("Answer")


class Control:
    """The model control of the server at `url`, host:port of its gRPC endpoint, as far as a switch needs it.

    key: opens it where a call changes something. name: the host:port that `url` is an address of, if it is one.
    All methods raise ControlError.
    """

    def __init__(self, url: str, key: str, tls: Tls | None = None, name: str | None = None) -> None:
        self.url = url
        self._headers = {_GRPC_PREFIX + ADMIN_HEADER: key}
        self._triton = triton.InferenceServerClient(**connection_arguments(url, tls, name))

    def close(self) -> None:
        self._triton.close()

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def check(self) -> None:
        """Whether the server is there, takes the key, and serves the cascade."""
        index = self._ask(
            lambda: self._triton.get_model_repository_index(
                headers=self._headers, as_json=True, client_timeout=_ASK_SECONDS
            )
        )
        ready = {model["name"] for model in index.get("models", []) if model.get("state") == "READY"}
        if CASCADE not in ready:
            raise ControlError(f"the server at {self.url} does not serve {CASCADE}")

    def switched_to(self) -> dict[str, int]:
        """The versions that the cascade was switched to; empty where it has what it started with."""
        parameter = self._config(CASCADE).get("parameters", {}).get(PARAMETER, {})
        text = parameter.get("string_value", "")
        try:
            return from_text(text)
        except ValueError as error:
            raise ControlError(
                f"the cascade at {self.url} has {PARAMETER} {text!r}, which is no list of them"
            ) from error

    def load(self, network: str, versions: Collection[int]) -> None:
        """Has Triton serve these versions of a network side by side, and no others."""
        config = self._config(network)
        config["version_policy"] = {"specific": {"versions": sorted(versions)}}
        self._load(network, config)

    def switch(self, versions: Mapping[str, int]) -> None:
        """Starts new instances of the cascade with these versions in the place of all that it has.

        Returns when they answer; the old ones finish what they have begun. The versions stand in the configuration that
        the cascade runs with, which whoever renews an instance takes over. The new instances have other names, so that
        nobody takes the end of the old ones for their death.
        """
        config = self._config(CASCADE)
        groups = config["instance_group"]
        names = {name for group in groups for name in instances(group)}
        config["instance_group"] = renewed(groups, names, CASCADE)
        config.setdefault("parameters", {})[PARAMETER] = {"string_value": to_text(versions)}
        self._load(CASCADE, config)

    def _config(self, model: str) -> dict[str, Any]:
        """That a model runs with."""
        answer = self._ask(lambda: self._triton.get_model_config(model, as_json=True, client_timeout=_ASK_SECONDS))
        return dict(answer["config"])

    def _load(self, model: str, config: dict[str, Any]) -> None:
        text = json.dumps(config)
        self._ask(
            lambda: self._triton.load_model(model, headers=self._headers, config=text, client_timeout=_LOAD_SECONDS)
        )

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except InferenceServerException as error:
            raise ControlError(self._sentence(error)) from error

    def _sentence(self, error: InferenceServerException) -> str:
        status = str(error.status()).rpartition(".")[2]
        # Behind the first line Python's traceback may follow.
        words = (error.message() or "no reason given").partition("\n")[0]
        if "restricted" in words:
            return (
                f"the server at {self.url} refuses the key of its model control: {ADMIN_KEY_VARIABLE} must be the one "
                "that the server was started with"
            )
        if status == "UNAVAILABLE":
            return f"no server answers at {self.url}: {words}"
        return f"the server at {self.url} refused: {words}"


def running(store: Store, controls: Collection[Control]) -> dict[str, int]:
    """The versions that all these servers answer with.

    Raises DeployError where they differ, or the repository cannot be theirs.
    """
    live = store.live()
    by_server = {control.url: {**live, **control.switched_to()} for control in controls}
    for url, versions in by_server.items():
        for network, number in versions.items():
            if not store.file(network, number).is_file():
                raise DeployError(
                    f"the server at {url} runs version {number} of {network}, which {store.path} does not have: "
                    "give its own --repository"
                )
    versions, *others = by_server.values()
    if any(other != versions for other in others):
        each = "; ".join(f"{url} runs {to_text(versions)}" for url, versions in by_server.items())
        raise DeployError(
            f"the servers run different networks: {each}; start again those that are to have the live ones"
        )
    return versions


class Member(NamedTuple):
    """A server that takes part in a switch. check: raises DeployError where it does not answer as it should then."""

    control: Control
    check: Callable[[], None]


def switch(
    store: Store,
    members: Collection[Member],
    staging: Path,
    deployments: Mapping[str, Deployment],
    newcomers: Callable[[], Collection[Member]] = tuple,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Makes the staged candidates live, in the repository and on all servers; returns all versions that are live then.

    newcomers: servers that have come since it was last asked; they may have started before the candidates were there,
    and take part. tell: hears of each server that has switched.
    Raises SwitchFailed, with everything as it was on all of them.
    """
    members = [*members, *newcomers()]
    before = running(store, [member.control for member in members])
    turn = _Turn(store, before, store.add(staging, deployments))
    try:
        while members:
            turn.stage(members)
            turn.switch(members, tell)
            members = newcomers()
        turn.verify()
    except DeployError as error:
        raise SwitchFailed(f"{error}; {turn.take_back(newcomers)}") from error
    except BaseException:
        tell(turn.take_back(newcomers))
        raise
    return turn.now


class _Turn:
    """From the versions that all servers run to others, and the way back."""

    def __init__(self, store: Store, before: Mapping[str, int], added: Mapping[str, int]) -> None:
        self.now = {**before, **added}
        self._store, self._before, self._added = store, before, added
        self._staged: list[Control] = []
        self._begun: list[Control] = []

    def stage(self, members: Iterable[Member]) -> None:
        """Each server loads the new networks beside those that it asks."""
        for control, _ in members:
            self._staged.append(control)
            for network, number in self._added.items():
                control.load(network, {self._before[network], number})

    def switch(self, members: Iterable[Member], tell: Callable[[str], None]) -> None:
        """One server after the other: what fails on the first never reaches the second."""
        for control, check in members:
            self._begun.append(control)
            control.switch(self.now)
            check()
            tell(f"the server at {control.url} answers with {to_text(self.now)}")

    def verify(self) -> None:
        """Raises DeployError where a server has gone back by itself since."""
        for control in self._staged:
            if control.switched_to() != self.now:
                raise DeployError(
                    f"a process of the cascade at {control.url} died in these seconds and was renewed with the "
                    "networks before"
                )

    def take_back(self, newcomers: Callable[[], Collection[Member]]) -> str:
        """All servers and the repository; returns, in words, how that went."""
        since = ""
        try:
            # Started meanwhile, they may have the candidates.
            late = [control for control, _ in newcomers()]
        except DeployError as error:
            late, since = [], f"; servers that have come since must be started again: {error}"
        self._begun += late
        self._staged += late
        lost = _failures(self._begun, lambda control: control.switch(self._before))
        self._store.remove(self._added)
        untidy = _failures([control for control in self._staged if control.url not in lost], self._unload)
        if lost:
            also = f"; {_to_start_again('should', untidy)}" if untidy else ""
            return f"the repository is as before, but {_to_start_again('must', lost)}{also}{since}"
        if untidy:
            return f"the networks before answer again, but {_to_start_again('should', untidy)}{since}"
        return f"nothing was changed{since}"

    def _unload(self, control: Control) -> None:
        for network in self._added:
            control.load(network, {self._before[network]})


def _failures(controls: Iterable[Control], what: Callable[[Control], None]) -> dict[str, DeployError]:
    """Does it with each of them; what was raised, by the server's url."""
    failures = {}
    for control in controls:
        try:
            what(control)
        except DeployError as error:
            failures[control.url] = error
    return failures


def _to_start_again(how_needed: str, failures: Mapping[str, DeployError]) -> str:
    return "; ".join(f"the server at {url} {how_needed} be started again: {error}" for url, error in failures.items())
