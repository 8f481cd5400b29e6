"""The networks of `face_export` with their scores before the softmax, and their weights in the formats of others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from face_cascade.networks import ONET, PNET, RNET
from face_export.mtcnn import STAGES
from face_export.readers import read_stage
from face_export.readers.keras_list import tensor_names
from face_export.serving import Normalise
from face_export.weights import Weights, load_into
from face_training.workplace import write_file

_CLASSIFIERS = {PNET.name: "conv4_1", RNET.name: "dense5_1", ONET.name: "dense6_1"}

PRETRAINED = "pretrained"


class Trainable(nn.Module):
    """A stage's network that also tells the scores of which its probabilities are the softmax.

    The network stays what it is: the scores are listened to where its classifier gives them. So what is trained is what
    is exported.
    """

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.network = STAGES[stage]()
        self.normalise = Normalise()
        self._scores: Tensor | None = None
        getattr(self.network, _CLASSIFIERS[stage]).register_forward_hook(self._listen)

    def _listen(self, _module: nn.Module, _inputs: object, scores: Tensor) -> None:
        self._scores = scores

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pixels 0…255 `[N,3,S,S]` to scores `[N,2]` (no face, face), regression `[N,4]`, landmarks `[N,10]` if any."""
        regression, *landmarks, _probability = self.network(self.normalise(crops))
        scores, self._scores = self._scores, None
        assert scores is not None
        # PNet's maps are one cell large here.
        return scores.flatten(1), regression.flatten(1), landmarks[0] if landmarks else None


def new_network(stage: str, seed: int) -> Trainable:
    """Random weights as torch draws them, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Trainable(stage)


def stage_weights(stage: str, choice: str, trust: bool = False) -> Weights:
    """Weights by `choice`: `pretrained`, or the path of a file in any format that `faces export` reads.

    Raises:
        face_export.errors.WeightsError: there are none.
    """
    return read_stage(stage, None if choice == PRETRAINED else Path(choice), trust)


def initialised(stage: str, choice: str, trust: bool = False) -> Trainable:
    """A network that begins with weights by `choice` (see `stage_weights`)."""
    trainable = Trainable(stage)
    load_into(trainable.network, stage_weights(stage, choice, trust))
    return trainable


def stage_arrays(stage: str, choice: str, trust: bool = False) -> dict[str, NDArray[Any]]:
    """The same as arrays, for the compiled cascade: those of the stage's network, no more and no less."""
    tensors = initialised(stage, choice, trust).network.state_dict()
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def write_state_dict(path: Path, network: nn.Module) -> None:
    """A torch state dict, as facenet-pytorch's `pnet.pt`, `rnet.pt`, `onet.pt`: tensors by name."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_file(path, lambda file: torch.save(tensors, file))


def write_keras_list(path: Path, stage: str, network: nn.Module) -> None:
    """As ipazc's mtcnn 1.0 ships and reads them: `joblib.load(path)` is what Keras's `set_weights` takes."""
    tensors = network.state_dict()
    arrays = [_keras_order(name, tensors) for name in tensor_names(stage)]
    write_file(path, lambda file: joblib.dump(arrays, file, compress="lz4"))


def _keras_order(name: str, tensors: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """The inverse of `face_export.readers.keras_list`: OIHW to HWIO, OI to IO, slopes `[C]` to what Keras has."""
    array = tensors[name].detach().cpu().numpy()
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0))
    if array.ndim == 2:
        return np.ascontiguousarray(array.T)
    after_convolution = name.replace("prelu", "conv") in tensors
    if name.startswith("prelu") and after_convolution:
        # Shared over both axes of a map.
        return array.reshape(1, 1, -1).copy()
    return array.copy()
