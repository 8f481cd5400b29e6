"""Face crops as facenet-pytorch's `extract_face` cuts them, or aligned by landmarks.

Aligned: eyes, nose and mouth corners come to lie where a template has them.
"""

import math
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_cascade.flow import Detection
from face_cascade.parameters import DetectionParameters
from face_cascade.rotations import boxes_in_picture, boxes_in_view, points_in_picture, view_size

Float64 = NDArray[np.float64]

Window: TypeAlias = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels, end exclusive."""

_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)

TEMPLATE = (_ARCFACE + 0.5) / 112
"""Where the five landmarks belong, FLOAT64 [5,2], in shares of the crop's side.

The points that SphereFace (Liu et al. 2017, arXiv:1704.08063) aligned to, as ArcFace (Deng et al. 2019,
arXiv:1801.07698) places them in 112x112 pixels. Most aligned training sets since use them. Pixels are counted by their
centres, as OpenCV does: pixel 0 lies at 0, and its left edge at -0.5.
"""

# A crop is sampled this finely at most: 50 MB for one face.
_FINEST = 4096

# OpenCV's warps count pixels in 16 bits.
_WIDEST = 32_766


def detection_crops(
    image: NDArray[np.uint8], detection: Detection, parameters: DetectionParameters, side: int | None = None
) -> NDArray[np.uint8]:
    """The crops of all faces of an image UINT8 [H,W,3], as the parameters ask for them: UINT8 [N,S,S,3].

    S is `image_size`, or `side`: the same view of each face in so many pixels.
    """
    size, margin, turns = parameters.image_size, parameters.margin, detection.angles // 90
    if parameters.align:
        landmarks = _by_centres(detection.landmarks, turns, image.shape[0], image.shape[1])
        return aligned_crops(image, landmarks, size, margin, side)
    return face_crops(image, detection.boxes, size, margin, side, turns)


def _by_centres(
    landmarks: NDArray[np.float32], turns: NDArray[np.int32], height: int, width: int
) -> NDArray[np.float32]:
    """Landmarks of faces in a picture as alignment reads them where a face is upright: as if pixel 0 lay at 0."""
    points = landmarks.copy()
    half = np.float32(0.5)
    for of_face, turn in zip(points, turns, strict=True):
        if turn:
            seen = points_in_picture(of_face, -turn % 4, *view_size(turn, height, width))
            of_face[:] = points_in_picture(seen + half, turn, height, width) - half
    return points


def face_crops(
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    size: int,
    margin: int,
    side: int | None = None,
    turns: Iterable[int] | None = None,
) -> NDArray[np.uint8]:
    """Square crops, UINT8 [N,size,size,3], of boxes FP32 [N,4] in an image UINT8 [H,W,3].

    The box grows by `margin` pixels of a crop of `size`, is cut to whole pixels inside the image, and is resized with
    Pillow's bilinear filter to `size` pixels, or to `side`. Of a box beside the image the nearest pixel is taken.
    turns: by how many quarter turns, as of `np.rot90`, each crop is set upright; None for none.
    """
    side = size if side is None else side
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    turned = [0] * len(boxes) if turns is None else list(turns)
    windows = face_windows(boxes, turned, image.shape[0], image.shape[1], size, margin)
    for crop, (left, top, right, bottom), turn in zip(crops, windows, turned, strict=True):
        # Cut first: `resize(box=…)` would blend in pixels from outside of the box.
        face = Image.fromarray(np.rot90(image[top:bottom, left:right], turn))
        crop[:] = np.asarray(face.resize((side, side), Image.Resampling.BILINEAR))
    return crops


def face_windows(
    boxes: NDArray[np.float32], turns: Iterable[int], height: int, width: int, size: int, margin: int
) -> Iterator[Window]:
    """What `face_crops` cuts for each box out of an image of this height and width, before it turns and resizes it."""
    for box, turn in zip(boxes, turns, strict=True):
        # Windows are cut in the view where the face is upright, for there its box was found.
        (seen,) = boxes_in_view(box[np.newaxis], turn, height, width)
        yield _in_picture(_window(seen, *view_size(turn, height, width), size, margin), turn, height, width)


def _window(box: NDArray[np.float32], height: int, width: int, size: int, margin: int) -> Window:
    grow = (box[2:] - box[:2]) * margin / (size - margin) / 2
    x1, y1 = np.maximum(box[:2] - grow, 0)
    x2, y2 = np.minimum(box[2:] + grow, (width, height))
    left, top = min(int(x1), width - 1), min(int(y1), height - 1)
    return left, top, max(int(x2), left + 1), max(int(y2), top + 1)


def _in_picture(window: Window, turn: int, height: int, width: int) -> Window:
    """A window of a view of a picture of this height and width, there."""
    left, top, right, bottom = window
    # Boxes count pixels from 1, both ends inclusive.
    box = np.array([[left + 1, top + 1, right, bottom]], np.float32)
    x1, y1, x2, y2 = boxes_in_picture(box, turn, height, width)[0].astype(int).tolist()
    return x1 - 1, y1 - 1, x2, y2


def template_points(size: int, margin: int) -> Float64:
    """The template in a crop of `size` pixels, FLOAT64 [5,2]; at its centre, `size` − `margin` pixels large.

    So a margin shows as much more of the picture as it does around a box.
    """
    points: Float64 = (TEMPLATE - 0.5) * (size - margin) + size / 2 - 0.5
    return points


def similarity_transforms(points: NDArray[np.floating], targets: Float64) -> Float64:
    """Rotation, scale and shift that bring each set of points nearest to the targets, without mirroring.

    FLOAT [N,5,2] and [5,2] → FLOAT64 [N,2,3], to be multiplied with (x, y, 1). Least squares, as in Umeyama 1991
    (doi:10.1109/34.88573); in the plane rotation and scale are one complex factor, and the sum over
    conj(point)·target divided by the sum over |point|² is it. Points that are all one have scale 0.
    """
    p = points[..., 0].astype(np.float64) + 1j * points[..., 1]
    q = targets[:, 0] + 1j * targets[:, 1]
    p_mean, q_mean = p.mean(axis=1, keepdims=True), q.mean()
    spread = (np.abs(p - p_mean) ** 2).sum(axis=1)
    factor = (np.conj(p - p_mean) * (q - q_mean)).sum(axis=1) / np.maximum(spread, np.finfo(np.float64).tiny)
    shift = q_mean - factor * p_mean[:, 0]
    rows = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    return np.array(rows).transpose(2, 0, 1)


def aligned_crops(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], size: int, margin: int, side: int | None = None
) -> NDArray[np.uint8]:
    """Square crops, UINT8 [N,size,size,3], of faces with landmarks FP32 [N,5,2] in an image UINT8 [H,W,3].

    `margin` is in pixels of a crop of `size`; with `side` the same view is given in so many pixels instead. What
    lies outside of the image is black. Each pixel is an average over as much of the image as it stands for.
    """
    side = size if side is None else side
    targets = (template_points(size, margin) + 0.5) * (side / size) - 0.5
    crops = np.empty((len(landmarks), side, side, 3), np.uint8)
    for crop, transform in zip(crops, similarity_transforms(landmarks, targets), strict=True):
        crop[:] = _warped(image, transform, side)
    return crops


def _warped(image: NDArray[np.uint8], transform: Float64, side: int) -> NDArray[np.uint8]:
    """`side` x `side` pixels of the image under FLOAT64 [2,3], which takes its coordinates to the crop's."""
    window = _source_window(transform, side, image.shape[0], image.shape[1])
    if window is None:
        return np.zeros((side, side, 3), np.uint8)
    top, bottom, left, right = window
    # Bilinear look-ups see four pixels: a face that shrinks is sampled finely and averaged.
    scale = math.hypot(transform[0, 0], transform[1, 0])
    fine = max(1, min(math.ceil(1 / scale), _FINEST // side))
    matrix = transform.copy()
    matrix[:, 2] += transform[:, :2] @ (left, top)
    # The centre of the first of `fine` small pixels lies before that of the large one.
    matrix = matrix * fine
    matrix[:, 2] += (fine - 1) / 2
    whole = cv2.warpAffine(image[top:bottom, left:right], matrix, (side * fine, side * fine), flags=cv2.INTER_LINEAR)
    return np.asarray(whole if fine == 1 else cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA))


def _source_window(transform: Float64, side: int, height: int, width: int) -> tuple[int, int, int, int] | None:
    """top, bottom, left, right of what the crop shows of an image; None where that is nothing."""
    linear = transform[:, :2]
    if np.linalg.det(linear) == 0:
        return None
    corners = np.array([[-1, -1], [side, -1], [-1, side], [side, side]], np.float64)
    seen = np.linalg.solve(linear, (corners - transform[:, 2]).T)
    inside = (width, height)
    low = np.clip(np.floor(seen.min(axis=1)), 0, inside).astype(int)
    high = np.clip(np.ceil(seen.max(axis=1)) + 1, 0, inside).astype(int)
    (left, top), (right, bottom) = low.tolist(), np.minimum(high, low + _WIDEST).tolist()
    return (top, bottom, left, right) if left < right and top < bottom else None
