"""What networks say of pictures, and how good that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """The faces of one picture, in pixels: boxes [N, 4] x1, y1, x2, y2, landmarks [N, 5, 2], probabilities [N].

    seconds: that the cascade took, without decoding; 0 where nobody measured.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    seconds: float = 0.0


@dataclass(frozen=True)
class Accuracy:
    """On one subset of annotated faces. faces: so many it has. recall: the share of them that was found, at the
    thresholds asked with. false: faces found that are none of the annotated ones.
    """

    faces: int
    average_precision: float
    recall: float
    false: int
