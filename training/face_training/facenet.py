"""FaceNet trained on as a classifier of the people in a folder, as facenet-pytorch's example does."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from face_cascade import Call, DetectionParameters, detect, drive
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED
from face_cascade.compiled import Weights as Arrays
from face_cascade.crops import detection_crops
from face_cascade.networks import FACENET, ONET, PNET, RNET
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.serving import Normalise
from face_export.weights import Weights, load_into
from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage
from face_pictures.formats import SUFFIXES
from face_training.errors import AnnotationError, SamplesError
from face_training.samples.making import Plan, weights_digest
from face_training.samples.records import Records
from face_training.samples.store import Recipe, Shards
from face_training.workplace import TrainingSettings

# A folder of people: one folder a person, pictures in it (torchvision's `ImageFolder` layout).




@dataclass(frozen=True)
class PersonPicture:
    """A picture of a person, who is a number in the sorted list of names; `place`: which of the person's own it is."""

    path: Path
    person: int
    place: int


def read_people(root: Path) -> tuple[list[str], list[PersonPicture]]:
    """Names, sorted, and all pictures, sorted by person and file.

    Raises:
        AnnotationError: there are fewer than two people with a picture.
    """
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
    found = [(folder.name, _pictures(folder)) for folder in folders]
    people = [(name, pictures) for name, pictures in found if pictures]
    if len(people) < 2:
        raise AnnotationError(f"{root} has {len(people)} folders with pictures: one a person is wanted, two at least")
    pictures = [
        PersonPicture(path, person, place)
        for person, (_, paths) in enumerate(people)
        for place, path in enumerate(paths)
    ]
    return [name for name, _ in people], pictures


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


# The face in each picture, found and cut out as the service does it.


CROP = np.dtype(
    [
        ("pixels", np.uint8, (FACENET.side, FACENET.side, 3)),
        ("person", np.int32),
        ("place", np.int32),
    ]
)
"""RGB crop, the person's number, and which of the person's pictures it is from."""


@dataclass(frozen=True)
class CropSettings:
    """Which face of a picture, and how it is cut: as the request parameters of these names."""

    margin: int = 0
    align: bool = False
    selection: str = "largest"
    min_face_size: float = 20

    def parameters(self) -> DetectionParameters:
        """What the cascade is asked with."""
        return DetectionParameters(
            margin=self.margin,
            align=self.align,
            selection=self.selection,
            min_face_size=self.min_face_size,
            image_size=FACENET.side,
        )


class CropMaker:
    """Cuts the face out of any picture. weights: of PNet, RNet and ONet, by their names."""

    def __init__(self, settings: CropSettings, weights: Mapping[str, Arrays]) -> None:
        self._parameters = settings.parameters()
        self._networks = {network: COMPILED[network](weights[network.name]) for network in (PNET, RNET, ONET)}

    def __call__(self, _number: int, picture: PersonPicture) -> Records:
        """One row, or none where there is no face or no picture that can be read."""
        try:
            pixels = decode_image(picture.path.read_bytes())
        except (InvalidImage, OSError):
            return np.zeros(0, CROP)
        (found,) = drive(detect([pixels], [self._parameters]), self._answer)
        rows = np.zeros(len(found.boxes), CROP)
        rows["pixels"] = detection_crops(pixels, found, self._parameters)
        rows["person"], rows["place"] = picture.person, picture.place
        return rows

    def _answer(self, call: Call) -> Outputs:
        return self._networks[call.network](call.batch)


def crop_plan(
    folder: Path, settings: CropSettings, weights: Mapping[str, Arrays], pictures: Sequence[PersonPicture]
) -> Plan:
    """Crops of all pictures.

    Raises:
        face_cascade.parameters.InvalidInput: the cascade takes no such margin or size.
    """
    settings.parameters()
    listed = hashlib.sha256(repr([(str(p.path), p.person, p.place) for p in pictures]).encode())
    recipe = Recipe(
        {
            **settings.__dict__,
            "pictures": listed.hexdigest(),
            "networks": weights_digest(weights),
        }
    )
    return Plan(folder, recipe, CROP, partial(CropMaker, settings, weights))


# FaceNet with a classifier of so many people, as a task for the engine.


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
