"""The switch itself, and taking it back when it fails.

The new versions are loaded beside the old ones, then the cascade is started anew on them: every answer is wholly of the
old or wholly of the new networks, and none is lost.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from face_deploy.control import Control
from face_deploy.errors import DeployError, SwitchFailed
from face_deploy.store import Deployment, Store


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
