"""Weights on their way from a file into a network."""

import hashlib
import json
from dataclasses import dataclass

from torch import Tensor, nn

from face_export.errors import WeightsError

# A batch counter that evaluation ignores; TensorFlow's conversions and older torch leave it out.
_OPTIONAL_SUFFIX = ".num_batches_tracked"


@dataclass(frozen=True)
class Weights:
    """Tensors by state-dict name, and where they come from."""

    tensors: dict[str, Tensor]
    source: str
    """For people: a file's name, a package and its version, a recipe. Never a path of this machine."""
    sha256: str | None
    """Of the bytes they were read from; None where they were computed."""
    note: str = ""
    """What whoever serves them must know; empty for pretrained weights."""
    random: bool = False
    """Never trained. Of somebody's own file nobody knows."""

    def about(self, sha256: str) -> str:
        """What callers are told, a JSON object: name, sha256, random. sha256: the weights' `digest`."""
        return json.dumps({"name": self.source, "sha256": sha256, "random": self.random})


def load_into(network: nn.Module, weights: Weights) -> None:
    """Fill `network`, or raise `WeightsError` naming the first tensor that does not fit."""
    wanted = network.state_dict()
    kind = type(network).__name__
    for name, own in wanted.items():
        if name not in weights.tensors:
            if name.endswith(_OPTIONAL_SUFFIX):
                continue
            raise WeightsError(f"{weights.source}: tensor {name} is missing; {kind} wants it as {_shape(own)}")
        found = weights.tensors[name]
        if found.shape != own.shape:
            raise WeightsError(f"{weights.source}: tensor {name} has shape {_shape(found)}, {kind} wants {_shape(own)}")
        if not found.isfinite().all():
            raise WeightsError(f"{weights.source}: tensor {name} holds values that are not finite")
    unknown = sorted(set(weights.tensors) - set(wanted))
    if unknown:
        found = weights.tensors[unknown[0]]
        raise WeightsError(f"{weights.source}: {kind} has no tensor {unknown[0]} of shape {_shape(found)}")
    network.load_state_dict({**wanted, **weights.tensors})


def digest(network: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of the state dict, in order."""
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(f"{name} {tensor.dtype} {_shape(tensor)}\n".encode())
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers, as papers count them: without the running statistics of batch norms."""
    return sum(parameter.numel() for parameter in network.parameters())


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
