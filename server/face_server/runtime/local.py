"""A network of the repository in this very process, on the CPU."""

from collections.abc import Callable
from pathlib import Path

import triton_python_backend_utils as pb_utils

from face_cascade import Network
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Batch
from face_server.stored_weights import read_weights


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

    from face_server.runtime.torchscript import TorchScriptNetwork

    torch.set_num_threads(1)
    return TorchScriptNetwork(path, "cpu")
