"""What a picture tells of who goes on: whether a frame begins another scene, and whether two faces look alike.

Cheap measures on small thumbnails of the planes that were decoded; no network. How they were chosen: docs/video.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_tools.video.frames import Frame, plane_of

if TYPE_CHECKING:
    import av

Floats = NDArray[np.float64]

# Below this likeness to the frame before, and with colours that differ by more than that share, a scene is another.
_LEAST_LIKENESS = 0.5
_LEAST_CHANGE = 0.1
_THUMBNAIL = (32, 18)
# Greys² that are no structure: noise, dithering.
_NOISE = 10.0

# A face's look: so many cells a side, of which the face itself has the middle.
_CELLS = 8
_MARGIN = 0.7
# Eyes, nose, corners of the mouth in a face of side 1, as the detector's boxes have them on average.
_PLACES = (np.array([(0.31, 0.33), (0.69, 0.33), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75)]) + _MARGIN) / (
    1 + 2 * _MARGIN
)
# Cells outside of these greys are burnt out or black: a flash tells nothing of a face.
_DARK, _BRIGHT = 20, 230


class Scenes:
    """Counts the scenes of a video, frame by frame."""

    def __init__(self) -> None:
        self.count = 0
        self._last: tuple[Floats, Floats] | None = None

    def is_new(self, frame: Frame) -> bool:
        """Whether the frame begins a scene; the very first one does."""
        thumbnails = [_thumbnail(frame.picture, plane) for plane in range(3)]
        here = thumbnails[0], _colours(thumbnails)
        last, self._last = self._last, here
        if last is not None:
            changed = float(np.abs(last[1] - here[1]).sum()) / 6
            if _likeness(last[0], here[0]) >= _LEAST_LIKENESS or changed <= _LEAST_CHANGE:
                return False
        self.count += 1
        return True


def _likeness(first: Floats, second: Floats) -> float:
    """Of structure, from −1 to 1: the last two factors of SSIM, over the whole picture. Flat pictures are alike."""
    a, b = first - first.mean(), second - second.mean()
    return float((2 * (a * b).mean() + _NOISE) / ((a * a).mean() + (b * b).mean() + _NOISE))


def _colours(thumbnails: list[Floats]) -> Floats:
    """Shares of cells by brightness and by both colours [3, 16]."""
    ranges = ((0, 256), (64, 192), (64, 192))
    return np.array([np.histogram(cells, 16, between)[0] / cells.size for cells, between in zip(thumbnails, ranges)])


def _thumbnail(picture: av.VideoFrame, plane: int) -> Floats:
    return np.asarray(_image(picture, plane).resize(_THUMBNAIL, Image.Resampling.BOX), np.float64)


def _image(picture: av.VideoFrame, plane: int) -> Image.Image:
    return Image.fromarray(plane_of(picture, plane))


def look(frame: Frame, landmarks: NDArray[np.floating]) -> Floats:
    """How a face looks: greys [8, 8], upright and of one size by its landmarks [5, 2], with what is around it."""
    # The similarity (a, b, x, y) that takes cells to pixels: least squares over the five points.
    cells = _PLACES * _CELLS
    rows = np.zeros((10, 4))
    rows[0::2] = np.column_stack([cells[:, 0], -cells[:, 1], np.ones(5), np.zeros(5)])
    rows[1::2] = np.column_stack([cells[:, 1], cells[:, 0], np.zeros(5), np.ones(5)])
    (a, b, x, y), *_ = np.linalg.lstsq(rows, landmarks.astype(np.float64).ravel(), rcond=None)
    # Pillow's transform takes single pixels: as many as there are, then their mean.
    finer = int(np.clip(np.ceil(np.hypot(a, b)), 1, 32))
    side = _CELLS * finer
    drawn = _image(frame.picture, 0).transform(
        (side, side),
        Image.Transform.AFFINE,
        (a / finer, -b / finer, x, b / finer, a / finer, y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(drawn.resize((_CELLS, _CELLS), Image.Resampling.BOX), np.float64)


def alike(first: Floats, second: Floats) -> float:
    """How alike two looks are, −1 to 1: their correlation over the cells that are neither black nor burnt out in
    either. 1 where these are less than half: nothing is known."""
    seen = (np.minimum(first, second) > _DARK) & (np.maximum(first, second) < _BRIGHT)
    if seen.mean() < 0.5:
        return 1.0
    a, b = first[seen] - first[seen].mean(), second[seen] - second[seen].mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 1.0
