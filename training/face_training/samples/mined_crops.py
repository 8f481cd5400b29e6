"""RNet's and ONet's samples: what the stages before take for faces, rightly or not (hard examples)."""

from collections.abc import Callable, Mapping

import numpy as np

from face_cascade import Call, Flow, Limits, drive
from face_cascade.area import Int32
from face_cascade.boxes import Float32, pixel_windows
from face_cascade.calls import Outputs
from face_cascade.compiled import COMPILED, Weights
from face_cascade.networks import ONET, PNET, RNET
from face_cascade.proposals import Source, propose
from face_cascade.refinement import refine_with_rnet
from face_training.annotations.picture import AnnotatedPicture
from face_training.samples.bands import NO_SAMPLE, kinds_of
from face_training.samples.cutting import crop_records, set_regression
from face_training.samples.records import Kind, Records
from face_training.samples.settings import CROP_SIZES, SampleSettings

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
