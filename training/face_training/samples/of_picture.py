"""All samples of one picture for one stage."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from face_cascade.area import integral_image
from face_cascade.compiled import Weights
from face_cascade.networks import ONET, PNET
from face_client import InvalidImage, decode_image
from face_training.annotations.picture import AnnotatedPicture
from face_training.samples.cutting import joined
from face_training.samples.landmark_crops import landmark_records
from face_training.samples.mined_crops import Miner, mined_records
from face_training.samples.random_crops import pnet_records
from face_training.samples.records import Records
from face_training.samples.settings import CROP_SIZES, SampleSettings


class SampleMaker:
    """Makes the samples of any picture for one stage. weights: of the networks before it, by their names."""

    def __init__(self, stage: str, settings: SampleSettings, weights: Mapping[str, Weights]) -> None:
        self.stage, self.settings = stage, settings
        self._miner = Miner(stage, weights)

    def __call__(self, number: int, picture: AnnotatedPicture) -> Records:
        """The samples of the picture with this number in the index, always the same for the same seed.

        A coin decides whether the picture or its mirror image is used. Landmark samples come from both; pictures that
        are not annotated completely give no others. A picture that cannot be decoded after all, or has another size
        than its header said, gives none.
        """
        random = np.random.default_rng([self.settings.seed, number])
        size = CROP_SIZES[self.stage]
        has_landmarks = self.stage == ONET.name and bool(np.isfinite(picture.landmarks).any())
        if not (picture.complete or has_landmarks):
            return joined([], size)
        try:
            pixels = decode_image(picture.path.read_bytes())
        except (InvalidImage, OSError):
            return joined([], size)
        if pixels.shape[:2] != (picture.height, picture.width):
            return joined([], size)
        coin = bool(random.random() < 0.5)
        parts = []
        for mirrored in (coin, not coin) if has_landmarks else (coin,):
            seen = picture.mirrored() if mirrored else picture
            sums = integral_image(_view(pixels, mirrored))
            found = []
            if mirrored == coin and picture.complete:
                found.append(self._boxes(seen, sums, random))
            if has_landmarks:
                found.append(landmark_records(seen, sums, size, self.settings.shifts, random))
            records = joined(found, size)
            records["mirrored"], records["picture"] = mirrored, number
            parts.append(records)
        return joined(parts, size)

    def _boxes(self, picture: AnnotatedPicture, sums: NDArray[np.int32], random: np.random.Generator) -> Records:
        if self.stage == PNET.name:
            return pnet_records(picture, sums, self.settings, random)
        return mined_records(self.stage, picture, sums, self.settings, self._miner.candidates)


def _view(pixels: NDArray[np.uint8], mirrored: bool) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
