"""All samples of one picture for one stage; those of RNet and ONet are what the stages before take for faces."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from face_cascade import Call, Flow, Limits, drive
from face_cascade.area import Int32, integral_image
from face_cascade.boxes import Float32, pixel_windows
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Weights
from face_cascade.networks import ONET, PNET, RNET
from face_cascade.proposals import Source, propose
from face_cascade.refinement import refine_with_rnet
from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage
from face_training.annotations.pictures import AnnotatedPicture
from face_training.samples.random_crops import landmark_records, pnet_records
from face_training.samples.records import (
    CROP_SIZES,
    NO_SAMPLE,
    Kind,
    Records,
    SampleSettings,
    crop_records,
    joined,
    kinds_of,
    set_regression,
)

# RNet's and ONet's samples: what the stages before take for faces, rightly or not (hard examples).


BEFORE = {PNET.name: (), RNET.name: (PNET,), ONET.name: (PNET, RNET)}
"""The networks whose candidates a stage is trained on."""


class Miner:
    """The part of the cascade before a stage, its networks compiled for this processor (seconds)."""

    def __init__(self, stage: str, weights: Mapping[str, Weights]) -> None:
        """weights: of the networks before the stage, by their names."""
        self._networks = {network: COMPILED[network](weights[network.name]) for network in BEFORE[stage]}
        self._refines = RNET in self._networks

    def candidates(self, sums: Int32, settings: SampleSettings) -> Float32:
        """Squared boxes FP32 [N,4] that the stage would be asked about."""
        flow = self._flow(Source(sums, settings.detection()))
        return drive(flow, self._answer)

    def _flow(self, source: Source) -> Flow[Float32]:
        (proposals,) = yield from propose([source], Limits())
        if not self._refines:
            return proposals.boxes
        (refined,) = yield from refine_with_rnet([source], [proposals.boxes], Limits())
        return refined

    def _answer(self, call: Call) -> Outputs:
        return self._networks[call.network](call.batch)


Candidates = Callable[[Int32, SampleSettings], Float32]


def mined_records(
    stage: str, picture: AnnotatedPicture, sums: Int32, settings: SampleSettings, candidates: Candidates
) -> Records:
    """Of the candidates all that show a face or a part of one, and the likeliest that show none.

    They are cropped as the cascade does, at the border too: what would lie outside is left out, not filled.
    """
    boxes = candidates(sums, settings)
    windows, inside = pixel_windows(boxes, picture.height, picture.width)
    kinds, nearest = kinds_of(boxes, picture)
    kinds[~inside] = NO_SAMPLE
    # Candidates come by descending score.
    kinds[np.flatnonzero(kinds == Kind.NEGATIVE)[settings.mined_negatives :]] = NO_SAMPLE
    chosen = kinds != NO_SAMPLE
    records = crop_records(sums, windows[chosen], boxes[chosen], kinds[chosen], CROP_SIZES[stage])
    return set_regression(records, nearest[chosen], picture, plus_one=True)


# All samples of one picture for one stage.


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
