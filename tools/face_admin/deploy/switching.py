"""The switch of a running server's networks over Triton's own model control, and taking it back when it fails.

A model is loaded beside the one that serves, and takes its place when it is ready; requests that the old one has begun
it also finishes. Where the new one does not start, the old one goes on. So the new versions of the networks are loaded
beside the old ones first, then the cascade is started anew on them: every answer is wholly of the old or wholly of the
new networks, and none is lost.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

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

    key: opens it where a call changes something. All methods raise ControlError.
    """

    def __init__(self, url: str, key: str, tls: Tls | None = None) -> None:
        self.url = url
        self._headers = {_GRPC_PREFIX + ADMIN_HEADER: key}
        self._triton = triton.InferenceServerClient(**connection_arguments(url, tls))

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


def running(store: Store, control: Control) -> dict[str, int]:
    """The versions that the server answers with. Raises DeployError where the repository cannot be the server's."""
    versions = {**store.live(), **control.switched_to()}
    for network, number in versions.items():
        if not store.file(network, number).is_file():
            raise DeployError(
                f"the server at {control.url} runs version {number} of {network}, which {store.path} does not have: "
                "give its own --repository"
            )
    return versions


def switch(
    store: Store,
    control: Control,
    staging: Path,
    deployments: Mapping[str, Deployment],
    check: Callable[[], None],
) -> dict[str, int]:
    """Makes the staged candidates live, in the repository and on the server; returns all versions that are live then.

    check: raises DeployError where the server does not answer as it should afterwards.
    Raises SwitchFailed, with everything as it was.
    """
    before = running(store, control)
    added = store.add(staging, deployments)
    now = {**before, **added}
    begun = False
    try:
        for network, number in added.items():
            control.load(network, {before[network], number})
        begun = True
        control.switch(now)
        check()
        if control.switched_to() != now:
            raise DeployError("a process of the cascade died in these seconds and was renewed with the networks before")
    except DeployError as error:
        raise SwitchFailed(f"{error}; {_take_back(store, control, before, added, begun)}") from error
    except BaseException:
        _take_back(store, control, before, added, begun)
        raise
    return now


def _take_back(store: Store, control: Control, before: Mapping[str, int], added: Mapping[str, int], begun: bool) -> str:
    """Returns, in words, how that went."""
    try:
        if begun:
            control.switch(before)
    except DeployError as error:
        store.remove(added)
        return f"the repository is as before, but the server must be started again: {error}"
    store.remove(added)
    try:
        for network in added:
            control.load(network, {before[network]})
    except DeployError as error:
        return f"the networks before answer again, but the server should be started again: {error}"
    return "nothing was changed"
