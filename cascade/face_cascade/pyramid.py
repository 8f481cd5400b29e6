"""The image pyramid: which scales an image is looked at."""

from dataclasses import dataclass
from functools import lru_cache

from face_cascade.networks import PNET_WINDOW


@dataclass(frozen=True)
class Level:
    """One resized copy of an image. `scale` is level pixels per image pixel."""

    scale: float
    height: int
    width: int


@lru_cache(maxsize=1024)
def pyramid_levels(height: int, width: int, min_face_size: float, factor: float) -> tuple[Level, ...]:
    """The levels of an image [height, width], largest first; empty where the image is smaller than a face.

    The first scale makes a face of `min_face_size` fill PNet's window; each next one is `factor` smaller, until
    the shorter side is less than the window (MTCNN, Zhang et al. 2016; sizes as in facenet-pytorch).
    """
    scale = PNET_WINDOW / min_face_size
    shorter = min(height, width) * scale
    levels = []
    while shorter >= PNET_WINDOW:
        levels.append(Level(scale, int(height * scale + 1), int(width * scale + 1)))
        scale *= factor
        shorter *= factor
    return tuple(levels)
