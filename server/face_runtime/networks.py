"""Who answers the cascade's calls: Triton's models, or the same files in this process."""

from collections.abc import Callable, Mapping
from pathlib import Path

import triton_python_backend_utils as pb_utils

from face_cascade import ONET, PNET, RNET, Call, Limits, Network
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Batch
from face_repository.weights import read_weights
from face_runtime.bls import ask
from face_runtime.processor import Networks, on_this_processor

# A network of the repository in this very process, on the CPU.


def local_network(network: Network, path: Path) -> Callable[[Batch], Outputs]:
    """The network compiled for this processor, from the weights in its `model.pt`.

    A file that another tool wrote holds none: then torch runs its TorchScript, on one thread a caller.
    """
    weights = read_weights(path)
    if weights:
        return COMPILED[network](weights)
    pb_utils.Logger.log_warn(
        f"mtcnn: the file of {network.name} holds no arrays, so it runs in torch, which is slower; "
        "`faces export` writes them"
    )
    # Imported here: with compiled networks this process needs no torch.
    import torch

    from face_runtime.torchscript import TorchScriptNetwork

    torch.set_num_threads(1)
    return TorchScriptNetwork(path, "cpu")


Versions = Mapping[str, int]
"""By the network's name."""

_NETWORKS = (PNET, RNET, ONET)


def choose(setting: str, on_gpu: bool) -> str:
    """`auto` is `bls` on a GPU, where separate models batch better, and `local` on a CPU, where processes that take
    turns each wake cold."""
    if setting not in ("auto", "bls", "local"):
        raise ValueError(f"networks is {setting!r}, must be auto, bls or local")
    if setting != "auto":
        return setting
    return "bls" if on_gpu else "local"


def through_triton(versions: Versions) -> Networks:
    """Networks as Triton's own models, in batches as large as they take."""

    def run(call: Call) -> Outputs:
        return ask(call.network, call.batch, call.network.outputs, versions[call.network.name])

    return Networks(run, map, Limits())


def in_this_process(repository: Path, versions: Versions, workers: int) -> Networks:
    """The same networks from their files in the model repository, on the CPU of this process."""
    paths = {n: repository / n.name / str(versions[n.name]) / "model.pt" for n in _NETWORKS}
    return on_this_processor({n: local_network(n, path) for n, path in paths.items()}, workers)
