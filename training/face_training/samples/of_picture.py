"""All samples of one picture for one stage; those of RNet and ONet are what the stages before take for faces."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from face_cascade import Call, Flow, Limits, drive
from face_cascade.area import Int32, integral_image
from face_cascade.boxes import Float32, pixel_windows
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Weights
from face_cascade.networks import NETWORKS, ONET, PNET, RNET
from face_cascade.numpy_arrays import NUMPY
from face_cascade.proposals import Source, propose
from face_cascade.refinement import refine_with_rnet
from face_training.annotations.pictures import AnnotatedPicture
from face_training.errors import UnreadablePicture
from face_training.samples.making import Plan, read_picture
from face_training.samples.random_crops import landmark_records, pnet_records
from face_training.samples.records import (
    NO_SAMPLE,
    Kind,
    Records,
    crop_records,
    joined,
    kinds_of,
    record_type,
    set_regression,
)
from face_training.samples.store import Recipe, weights_digest
from face_training.settings import SampleSettings
from face_training.workplace import stages_before

Candidates = Callable[[Int32, SampleSettings], Float32]
"""From the integral image of a picture to the squared boxes FP32 [N,4] that a stage would be asked about."""


def stage_plan(
    stage: str,
    folder: Path,
    settings: SampleSettings,
    weights: Mapping[str, Weights],
    pictures: Sequence[AnnotatedPicture],
) -> Plan:
    """Samples of a stage; weights: of the networks before it, by their names.

    Raises:
        face_cascade.InvalidInput: the cascade takes no such threshold, size or factor.
    """
    settings.detection()
    index = hashlib.sha256(repr([picture.as_json() for picture in pictures]).encode())
    recipe = Recipe(
        {
            "stage": stage,
            **asdict(settings),
            "pictures": index.hexdigest(),
            "networks before it": weights_digest(weights),
        }
    )
    return Plan(folder, recipe, record_type(NETWORKS[stage].side), partial(SampleMaker, stage, settings, weights))


class SampleMaker:
    """Makes the samples of any picture for one stage. weights: of the networks before it, by their names."""

    def __init__(self, stage: str, settings: SampleSettings, weights: Mapping[str, Weights]) -> None:
        self.stage, self.settings = stage, settings
        self._size = NETWORKS[stage].side
        self._miner = Miner(stage, weights)

    def __call__(self, number: int, picture: AnnotatedPicture) -> Records:
        """The samples of the picture with this number in the index, always the same for the same seed.

        A coin decides whether the picture or its mirror image is used. Landmark samples come from both; pictures that
        are not annotated completely give no others.

        Raises:
            UnreadablePicture: it cannot be decoded after all, or has another size than its header said.
        """
        random = np.random.default_rng([self.settings.seed, number])
        has_landmarks = self.stage == ONET.name and bool(np.isfinite(picture.landmarks).any())
        if not (picture.complete or has_landmarks):
            return joined([], self._size)
        pixels = read_picture(picture.path)
        height, width = pixels.shape[:2]
        if (height, width) != (picture.height, picture.width):
            raise UnreadablePicture(picture.path, f"is {width}x{height} now, was {picture.width}x{picture.height}")
        coin = bool(random.random() < 0.5)
        parts = []
        for mirrored in (coin, not coin) if has_landmarks else (coin,):
            seen = picture.mirrored() if mirrored else picture
            sums = integral_image(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels)
            found = []
            if mirrored == coin and picture.complete:
                found.append(self._boxes(seen, sums, random))
            if has_landmarks:
                found.append(landmark_records(seen, sums, self._size, self.settings.shifts, random))
            records = joined(found, self._size)
            records["mirrored"], records["picture"] = mirrored, number
            parts.append(records)
        return joined(parts, self._size)

    def _boxes(self, picture: AnnotatedPicture, sums: Int32, random: np.random.Generator) -> Records:
        if self.stage == PNET.name:
            return pnet_records(picture, sums, self.settings, random)
        return mined_records(self.stage, picture, sums, self.settings, self._miner.candidates)


def mined_records(
    stage: str, picture: AnnotatedPicture, sums: Int32, settings: SampleSettings, candidates: Candidates
) -> Records:
    """Of the candidates all that show a face or a part of one, and the likeliest that show none: hard examples.

    They are cropped as the cascade does, at the border too: what would lie outside is left out, not filled.
    """
    boxes = candidates(sums, settings)
    windows, inside = pixel_windows(boxes, picture.height, picture.width)
    kinds, nearest = kinds_of(boxes, picture)
    kinds[~inside] = NO_SAMPLE
    # Candidates come by descending score.
    kinds[np.flatnonzero(kinds == Kind.NEGATIVE)[settings.mined_negatives :]] = NO_SAMPLE
    chosen = kinds != NO_SAMPLE
    records = crop_records(sums, windows[chosen], boxes[chosen], kinds[chosen], NETWORKS[stage].side)
    return set_regression(records, nearest[chosen], picture, plus_one=True)


class Miner:
    """The part of the cascade before a stage, its networks compiled for this processor (seconds)."""

    def __init__(self, stage: str, weights: Mapping[str, Weights]) -> None:
        """weights: of the networks before the stage, by their names."""
        before = [NETWORKS[name] for name in stages_before(stage)]
        self._networks = {network: COMPILED[network](weights[network.name]) for network in before}

    def candidates(self, sums: Int32, settings: SampleSettings) -> Float32:
        """Squared boxes FP32 [N,4] that the stage would be asked about."""
        height, width = sums.shape[0] - 1, sums.shape[1] - 1
        return drive(self._flow(Source(sums, height, width, settings.detection())), self._answer)

    def _flow(self, source: Source) -> Flow[Float32]:
        (proposals,) = yield from propose(NUMPY, [source], Limits())
        if proposals.refusal:
            raise proposals.refusal
        if RNET not in self._networks:
            return proposals.boxes
        (refined,) = yield from refine_with_rnet(NUMPY, [source], [proposals.boxes], Limits())
        return refined

    def _answer(self, call: Call) -> Outputs:
        return self._networks[call.network](call.batch)
