"""FaceNet trained on as a classifier of people, as facenet-pytorch's example does: the task for the engine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.serving import Normalise
from face_export.weights import Weights, load_into
from face_training.errors import SamplesError
from face_training.samples.store import Shards
from face_training.settings import TrainingSettings

HELD_OUT = 5
"""Each person's fifth, tenth … picture is kept from training, for validation."""

_CLASSIFIER = "logits."


def with_classifier(weights: Weights, people: int, seed: int) -> InceptionResnetV1:
    """The network with these weights and a new classifier, random by the seed; an old one is left out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = InceptionResnetV1(people)
    kept = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith(_CLASSIFIER)}
    new = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(_CLASSIFIER)}
    load_into(network, Weights({**kept, **new}, weights.source, weights.sha256))
    return network


@dataclass(frozen=True)
class Batch:
    """Row numbers, and which of them are mirrored."""

    rows: NDArray[np.intp]
    mirrored: NDArray[np.bool_]


class FaceNetTask:
    """Cross-entropy of the classifier's scores.

    Raises:
        SamplesError: fewer than two crops are left to train on.
    """

    def __init__(
        self, network: InceptionResnetV1, crops: Shards, settings: TrainingSettings, device: torch.device
    ) -> None:
        self.network = self.module = network
        self._crops, self._settings, self._device = crops, settings, device
        self._normalise = Normalise()
        held_out = crops.column("place") % HELD_OUT == HELD_OUT - 1
        self._rows, self._validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        # Batch norm needs two.
        self._size = min(settings.batch_size, len(self._rows))
        if self._size < 2:
            raise SamplesError("fewer than two faces were found in the pictures to train on")
        self.batches_per_epoch = settings.batches or len(self._rows) // self._size

    def batches(self, epoch: int) -> Iterator[Batch]:
        """All crops in a new order, less what fills no batch; half of them mirrored."""
        random = np.random.default_rng([self._settings.seed, epoch])
        rounds = -(-self.batches_per_epoch * self._size // len(self._rows))
        order = np.concatenate([random.permutation(self._rows) for _ in range(rounds)])
        for n in range(self.batches_per_epoch):
            yield Batch(order[n * self._size : (n + 1) * self._size], random.random(self._size) < 0.5)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """`cross_entropy` alone."""
        faces, people = self._read(batch.rows, batch.mirrored)
        _, scores = self.network(faces)
        return {"cross_entropy": cross_entropy(scores.float(), people)}

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """The one there is."""
        return losses["cross_entropy"]

    def validate(self) -> dict[str, float]:
        """Share of held-out pictures whose person gets the highest score."""
        right = 0
        for start in range(0, len(self._validation), self._settings.batch_size):
            rows = self._validation[start : start + self._settings.batch_size]
            faces, people = self._read(rows, np.zeros(len(rows), bool))
            right += int((self.network(faces)[1].argmax(dim=1) == people).sum())
        return {"accuracy": right / len(self._validation)} if len(self._validation) else {}

    def _read(self, rows: NDArray[np.intp], mirrored: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        crops = self._crops.take(rows)
        pixels = crops["pixels"]
        pixels[mirrored] = pixels[mirrored][:, :, ::-1]
        faces = torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device)
        people = torch.from_numpy(crops["person"].astype(np.int64)).to(self._device)
        return self._normalise(faces.permute(0, 3, 1, 2).to(torch.float32)), people
