"""Who answers the cascade's calls: Triton's models, or the same files in this process."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from face_cascade import Call, Limits
from face_cascade.calls import Outputs
from face_cascade.networks import STAGES
from face_repository.layout import EXPORTED
from face_runtime.bls import ask
from face_runtime.processor import Networks, network_from_file, on_this_processor
from face_runtime.settings import NETWORKS_CHOICES

Versions: TypeAlias = Mapping[str, int]
"""By the network's name."""


def choose(setting: str, on_gpu: bool) -> str:
    """`auto` is `bls` on a GPU, where separate models batch better, and `local` on a CPU, where processes that take
    turns each wake cold. Raises ValueError for any other setting than these three."""
    if setting not in NETWORKS_CHOICES:
        raise ValueError(f"networks is {setting!r}, must be one of {', '.join(NETWORKS_CHOICES)}")
    if setting != "auto":
        return setting
    return "bls" if on_gpu else "local"


def through_triton(versions: Versions) -> Networks:
    """Networks as Triton's own models, in batches as large as they take."""

    def run(call: Call) -> Outputs:
        return ask(call.network, call.batch, call.network.outputs, versions[call.network.name])

    return Networks(run, map, Limits())


def in_this_process(repository: Path, versions: Versions, workers: int, warn: Callable[[str], None]) -> Networks:
    """The same networks from their files in the model repository, on the CPU of this process."""
    files = {network: repository / network.name / str(versions[network.name]) / EXPORTED for network in STAGES}
    local = {network: network_from_file(network, file, warn) for network, file in files.items()}
    return on_this_processor(local, workers)
