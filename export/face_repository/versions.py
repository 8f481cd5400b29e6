"""Which version of each network is live: the one home of that fact.

A version is a folder with a number below the model's, and the highest is the live one: a server takes it when it
starts. What a running server took then stays, also for a process that is renewed, until somebody switches it: the
numbers stand in the environment of its models, and after a switch in a parameter of model `mtcnn`, which wins.
"""

from collections.abc import Mapping
from pathlib import Path

from face_cascade.networks import STAGES

NETWORKS = tuple(network.name for network in STAGES)
"""Those of the cascade; they are switched together."""

PARAMETER = "network_versions"
"""Of model `mtcnn`: the versions that it asks, as `to_text` writes them."""

VARIABLE = "TRITON_FACES_NETWORK_VERSIONS"
"""The same in the environment of a server's models."""


def numbers(model: Path) -> list[int]:
    """The versions below a model's folder, ascending; names that are no whole number are none, as for Triton."""
    if not model.is_dir():
        return []
    return sorted(int(folder.name) for folder in model.iterdir() if is_version(folder))


def is_version(folder: Path) -> bool:
    """Whether Triton takes a folder for a version: it leaves out those that begin with 0."""
    return folder.name.isascii() and folder.name.isdigit() and not folder.name.startswith("0") and folder.is_dir()


def latest(model: Path) -> int:
    """The live version of a model. Raises FileNotFoundError where it has none."""
    found = numbers(model)
    if not found:
        raise FileNotFoundError(f"{model} has no version")
    return found[-1]


def in_use(switched_to: str, environment: Mapping[str, str], repository: Path) -> dict[str, int]:
    """The versions that a process of a running server has to take, whenever it is started.

    switched_to: the parameter of model `mtcnn`, empty before the first switch. Where a server was started by other
    means than `faces serve`, it is the environment that is empty, and the live versions are taken.
    """
    fixed = from_text(switched_to or environment.get(VARIABLE, ""))
    return {network: fixed.get(network) or latest(repository / network) for network in NETWORKS}


def to_text(versions: Mapping[str, int]) -> str:
    """`pnet=2 rnet=1 onet=1`."""
    return " ".join(f"{network}={number}" for network, number in versions.items())


def from_text(text: str) -> dict[str, int]:
    """What `to_text` wrote; nothing for an empty text."""
    pairs = (word.partition("=") for word in text.split())
    return {network: int(number) for network, _, number in pairs}
