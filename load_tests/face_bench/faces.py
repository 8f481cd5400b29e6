"""What a contender found in one picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_client import Faces


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """N faces: boxes [N,4] x1,y1,x2,y2; probabilities [N]; landmarks [N,5,2] in the order of our contract."""

    boxes: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    @classmethod
    def of(cls, boxes: object, probabilities: object, landmarks: object) -> "FoundFaces":
        """From anything that NumPy reads, empty lists included."""
        return cls(
            np.asarray(boxes, np.float64).reshape(-1, 4),
            np.asarray(probabilities, np.float64).reshape(-1),
            np.asarray(landmarks, np.float64).reshape(-1, 5, 2),
        )

    @classmethod
    def of_client(cls, faces: Faces) -> "FoundFaces":
        return cls.of(faces.boxes, faces.probabilities, faces.landmarks)

    def __len__(self) -> int:
        return len(self.boxes)
