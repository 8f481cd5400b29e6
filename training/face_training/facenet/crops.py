"""The face in each picture, found and cut out as the service does it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from face_cascade import Call, DetectionParameters, detect, drive
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Weights
from face_cascade.crops import detection_crops
from face_cascade.networks import FACENET_SIZE, ONET, PNET, RNET
from face_client import InvalidImage, decode_image
from face_training.facenet.people import PersonPicture
from face_training.samples.making import Plan
from face_training.samples.recipes import weights_digest
from face_training.samples.records import Records
from face_training.samples.store import Recipe

CROP = np.dtype(
    [
        ("pixels", np.uint8, (FACENET_SIZE, FACENET_SIZE, 3)),
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
            image_size=FACENET_SIZE,
        )


class CropMaker:
    """Cuts the face out of any picture. weights: of PNet, RNet and ONet, by their names."""

    def __init__(self, settings: CropSettings, weights: Mapping[str, Weights]) -> None:
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
    folder: Path, settings: CropSettings, weights: Mapping[str, Weights], pictures: Sequence[PersonPicture]
) -> Plan:
    """Crops of all pictures.

    Raises:
        face_cascade.errors.InvalidInput: the cascade takes no such margin or size.
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
