"""Boxes as ipazc's mtcnn handles them, on rows of its "numpy" output with both corners; see `face_client.mtcnn.rows`.

The steps inside the cascade raise NotHere: it runs in the server.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_client.drop_in import InvalidValue, not_here
from face_client.mtcnn.rows import BOX, CONFIDENCE, LANDMARKS_X, LANDMARKS_Y, as_dicts

_CORNERS = 4

_INSIDE = {"adjust_bboxes", "fix_bboxes_offsets", "generate_bounding_box", "replace_confidence", "upscale_bboxes"}


def iou(bboxes: Any, method: str = "union") -> NDArray[np.float64]:
    """How much boxes [N, 4] (both corners) overlap: [N, N], intersection over union, or over the smaller ("min").

    Raises InvalidValue for another method.
    """
    if method not in ("union", "min"):
        raise InvalidValue(f"method is {method!r}; it must be 'union' or 'min'")
    boxes = np.asarray(bboxes, np.float64).reshape(-1, _CORNERS)
    low = np.maximum(boxes[:, np.newaxis, :2], boxes[np.newaxis, :, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], boxes[np.newaxis, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    pairs = areas[:, np.newaxis], areas[np.newaxis, :]
    whole = np.minimum(*pairs) if method == "min" else pairs[0] + pairs[1] - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        return shared / whole


def sort_by_scores(tensor: NDArray[Any], scores: NDArray[Any], ascending: bool = True) -> NDArray[Any]:
    """The rows in the order of their scores."""
    order = np.argsort(scores)
    return tensor[order if ascending else order[::-1]]


def nms(target_iou: NDArray[Any], threshold: float) -> NDArray[np.intp]:
    """The numbers of the boxes that no earlier one overlaps by more than the threshold, also one that fell itself.

    target_iou: [N, N] of `iou`, the likeliest box first.
    """
    return np.flatnonzero(~(np.triu(np.asarray(target_iou), k=1) > threshold).any(axis=0))


def smart_nms_from_bboxes(
    bboxes: NDArray[Any],
    threshold: float,
    column_image_id: int = 0,
    columns_bbox: slice = BOX,
    column_confidence: int = CONFIDENCE,
    method: str = "union",
    initial_sort: bool = True,
) -> NDArray[Any]:
    """The rows that `nms` leaves of each picture, picture by picture."""
    if initial_sort:
        bboxes = sort_by_scores(bboxes, bboxes[:, column_confidence], ascending=False)
    numbers = bboxes[:, column_image_id]
    kept = [bboxes[:0]]
    for number in np.unique(numbers):
        rows = bboxes[numbers == number]
        kept.append(rows[nms(iou(rows[:, columns_bbox], method), threshold)])
    return np.concatenate(kept)


def resize_to_square(bboxes: NDArray[Any]) -> NDArray[Any]:
    """The rows with boxes as squares of their longer side, around the same centre."""
    rows = bboxes.copy()
    low, high = bboxes[:, 1:3], bboxes[:, 3:5]
    side = (high - low).max(axis=1, keepdims=True)
    rows[:, 1:3] = low + (high - low) * 0.5 - side * 0.5
    rows[:, 3:5] = rows[:, 1:3] + side
    return rows


def pick_matches(bboxes_batch: NDArray[Any], scores_column: int = -1, score_threshold: float = 0.7) -> NDArray[Any]:
    """The rows with a score above the threshold."""
    return bboxes_batch[bboxes_batch[:, scores_column] > score_threshold]


def limit_bboxes(bboxes_batch: NDArray[Any], images_shapes: NDArray[Any], limit_landmarks: bool = True) -> NDArray[Any]:
    """The rows moved inside their pictures, to 0…width-1 and 0…height-1. images_shapes: (height, width, …) of each."""
    rows = bboxes_batch.copy()
    ends = np.asarray(images_shapes)[rows[:, 0].astype(int)] - 1
    height, width = ends[:, :1], ends[:, 1:2]
    rows[:, BOX] = rows[:, BOX].clip(0, np.hstack([width, height, width, height]))
    if limit_landmarks:
        rows[:, LANDMARKS_X] = rows[:, LANDMARKS_X].clip(0, width)
        rows[:, LANDMARKS_Y] = rows[:, LANDMARKS_Y].clip(0, height)
    return rows


def parse_bbox(bbox: Any, output_as_width_height: bool = True, input_as_width_height: bool = True) -> NDArray[np.int64]:
    """Four whole numbers: x, y, width, height, or both corners.

    bbox: a face of `detect_faces`, a list or array of four, or a row of the "numpy" output. input_as_width_height:
    whether it holds width and height. Raises InvalidValue for anything else.
    """
    if isinstance(bbox, dict):
        bbox = bbox["box"]
    if not isinstance(bbox, (list, tuple, np.ndarray)) or len(bbox) < _CORNERS:
        raise InvalidValue(f"bbox is {bbox!r}; it must be a dictionary with box, a list or an array of four or more")
    numbers = np.asarray(bbox, np.float64)
    box = numbers[BOX] if len(numbers) > _CORNERS else numbers
    low, rest = box[:2], box[2:]
    if input_as_width_height != output_as_width_height:
        rest = rest + low if input_as_width_height else rest - low
    return np.concatenate([low, rest]).round().astype(np.int64)


def to_json(
    bboxes_batch: NDArray[Any],
    images_count: int,
    input_as_width_height: bool = False,
    output_as_width_height: bool = True,
) -> list[list[dict[str, Any]]]:
    """The rows of each picture as `detect_faces` gives them: box, confidence and, where there are any, keypoints."""
    rows = np.atleast_2d(bboxes_batch)
    return [
        [
            {**face, "box": parse_bbox(row, output_as_width_height, input_as_width_height).tolist()}
            for row, face in zip(some, as_dicts(some))
        ]
        for some in (rows[rows[:, 0] == number] for number in range(images_count))
    ]


__getattr__ = not_here(
    __name__, _INSIDE, "is a step inside the cascade, which runs in the server: detect_faces gives its answer"
)
