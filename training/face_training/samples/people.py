"""The face in each picture of a folder of people, found and cut out as the service does it: FaceNet's samples."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from face_cascade import Call, InvalidInput, detect, drive
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Weights
from face_cascade.crops import detection_crops
from face_cascade.networks import FACENET, STAGES
from face_pictures.folders import is_hidden, pictures_in
from face_training.errors import AnnotationError, UnreadablePicture
from face_training.samples.making import Plan, read_picture
from face_training.samples.records import Records
from face_training.samples.store import Recipe, weights_digest
from face_training.settings import CropSettings

CROP = np.dtype(
    [
        ("pixels", np.uint8, (FACENET.side, FACENET.side, 3)),
        ("person", np.int32),
        ("place", np.int32),
    ]
)
"""RGB crop, the person's number, and which of the person's pictures it is from."""


@dataclass(frozen=True)
class PersonPicture:
    """A picture of a person, who is a number in the sorted list of names; `place`: which of the person's own it is."""

    path: Path
    person: int
    place: int


def read_people(root: Path, tell: Callable[[str], object]) -> tuple[list[str], list[PersonPicture]]:
    """Names, sorted, and all pictures, sorted by person and file, of a folder a person (torchvision's `ImageFolder`).

    tell: is told, in a sentence, what in the folders is left out.

    Raises:
        AnnotationError: there are fewer than two people with a picture.
    """
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
    hidden = [folder.name for folder in folders if is_hidden(folder.name)]
    if hidden:
        tell(f"{root}: left out {', '.join(hidden)} (hidden, thumbnails or trash)")
    found = [(folder.name, _pictures(folder, tell)) for folder in folders if folder.name not in hidden]
    people = [(name, pictures) for name, pictures in found if pictures]
    if len(people) < 2:
        raise AnnotationError(f"{root} has {len(people)} folders with pictures: one a person is wanted, two at least")
    pictures = [
        PersonPicture(path, person, place)
        for person, (_, paths) in enumerate(people)
        for place, path in enumerate(paths)
    ]
    return [name for name, _ in people], pictures


def _pictures(folder: Path, tell: Callable[[str], object]) -> list[Path]:
    found = pictures_in(folder)
    for note in found.notes():
        tell(note)
    return sorted(found.files)


def crop_plan(
    folder: Path, settings: CropSettings, weights: Mapping[str, Weights], pictures: Sequence[PersonPicture]
) -> Plan:
    """Crops of all pictures.

    Raises:
        face_cascade.InvalidInput: the cascade takes no such margin or size.
    """
    settings.detection(FACENET.side)
    listed = hashlib.sha256(repr([(str(p.path), p.person, p.place) for p in pictures]).encode())
    recipe = Recipe(
        {
            **asdict(settings),
            "pictures": listed.hexdigest(),
            "networks": weights_digest(weights),
        }
    )
    return Plan(folder, recipe, CROP, partial(CropMaker, settings, weights))


class CropMaker:
    """Cuts the face out of any picture. weights: of PNet, RNet and ONet, by their names."""

    def __init__(self, settings: CropSettings, weights: Mapping[str, Weights]) -> None:
        self._parameters = settings.detection(FACENET.side)
        self._networks = {network: COMPILED[network](weights[network.name]) for network in STAGES}

    def __call__(self, _number: int, picture: PersonPicture) -> Records:
        """One row, or none where there is no face. Raises UnreadablePicture."""
        pixels = read_picture(picture.path)
        (found,) = drive(detect([pixels], [self._parameters]), self._answer)
        if isinstance(found, InvalidInput):
            raise UnreadablePicture(picture.path, str(found)) from found
        rows = np.zeros(len(found.boxes), CROP)
        rows["pixels"] = detection_crops(pixels, found, self._parameters)
        rows["person"], rows["place"] = picture.person, picture.place
        return rows

    def _answer(self, call: Call) -> Outputs:
        return self._networks[call.network](call.batch)
