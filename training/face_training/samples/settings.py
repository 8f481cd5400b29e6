"""How many samples, and of what."""

from dataclasses import dataclass

from face_cascade import DetectionParameters
from face_cascade.networks import ONET, ONET_SIZE, PNET, PNET_WINDOW, RNET, RNET_SIZE

CROP_SIZES = {PNET.name: PNET_WINDOW, RNET.name: RNET_SIZE, ONET.name: ONET_SIZE}
"""Side in pixels of the crops that each stage is trained on."""


@dataclass(frozen=True)
class SampleSettings:
    """Numbers as in the guides' generators (`gen_12net_data.py` and its descendants).

    negatives: of a picture, anywhere. near: negatives around each face. around: tries for positives and parts around
    each face. shifts: tries for landmark samples around each face, for the picture and for its mirror image.
    mined_negatives: of a picture, the likeliest candidates that are no faces. The rest is how the cascade is asked
    when it mines. RNet keeps all by default: it knows the very pictures that ONet is trained on, and above the usual
    0.7 few of its errors are left to learn from.
    """

    negatives: int = 50
    near: int = 5
    around: int = 20
    shifts: int = 10
    mined_negatives: int = 60
    min_face_size: float = 20.0
    threshold_pnet: float = 0.6
    threshold_rnet: float = 0.0
    factor: float = 0.709
    seed: int = 0

    def detection(self) -> DetectionParameters:
        """What the cascade is asked with."""
        return DetectionParameters(
            min_face_size=self.min_face_size,
            threshold_pnet=self.threshold_pnet,
            threshold_rnet=self.threshold_rnet,
            factor=self.factor,
        )
