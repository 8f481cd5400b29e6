"""The cascade: pyramid → tiles → PNet → RNet → ONet → faces, for a batch of images of any sizes."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from face_cascade.arrays import Arrays
from face_cascade.boxes import areas
from face_cascade.calls import Flow, Limits, Together, runs
from face_cascade.networks import ONET, PNET, RNET
from face_cascade.numpy_arrays import NUMPY
from face_cascade.parameters import DetectionParameters, InvalidInput, TooManyCandidates
from face_cascade.proposals import Source, propose
from face_cascade.refinement import detect_with_onet, refine_with_rnet
from face_cascade.rotations import best_views, boxes_in_picture, points_in_picture, turns, view_size

# facenet-pytorch's `MTCNN.select_boxes` defaults.
_PROBABILITY_FLOOR = 0.9
_CENTER_WEIGHT = 2.0


@dataclass(frozen=True)
class Detection:
    """The faces of one image, N ≥ 0, in pixels of the image; boxes may pass its border.

    boxes FP32 [N,4] x1,y1,x2,y2; probabilities FP32 [N]; landmarks FP32 [N,5,2]: left eye, right eye, nose, left
    and right mouth corner as the viewer sees them. angles INT32 [N]: by how many degrees each face lies turned
    clockwise, 0, 90, 180 or 270; 0 unless `rotations` are asked for. `candidates_dropped`: how many fell to the
    parameter `max_candidates`; over 0, faces may be missing. `stage_counts`: how many boxes each network's stage left,
    by the network's name; the last before `selection`. Both are of all views together.
    """

    boxes: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    angles: NDArray[np.int32]
    candidates_dropped: int = 0
    stage_counts: Mapping[str, int] = field(default_factory=dict)


class _View(NamedTuple):
    """An image, turned as `rotations` has it, to be looked at with the image's parameters."""

    image: NDArray[np.uint8]
    turn: int
    parameters: DetectionParameters


@dataclass(frozen=True)
class _Seen:
    """What is found in a view, in its pixels, before any choice; fields as of `Detection`."""

    view: _View
    boxes: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    dropped: int
    stage_counts: Mapping[str, int]


def detect(
    images: Sequence[NDArray[np.uint8]],
    parameters: Sequence[DetectionParameters],
    limits: Limits | None = None,
    arrays: Arrays = NUMPY,
    most_pixels: int = sys.maxsize,
) -> Flow[list[Detection | TooManyCandidates]]:
    """Finds the faces of all images at once: a flow (see `calls.drive`) that returns one `Detection` each, or
    TooManyCandidates in its place: what one image has too many of takes no other's answer.

    Args:
        images: RGB UINT8 [H,W,3] each, of any sizes.
        parameters: one an image. Each view that `rotations` ask for is one more image.
        limits: batch sizes of the networks, and how many candidates are too many.
        arrays: the engine that holds images, tiles, maps and crops; the networks are asked with its arrays.
        most_pixels: what is beyond them waits until the others are done; an image that is larger goes alone.

    Raises:
        InvalidInput: an image is not UINT8 [H,W,3] with H, W ≥ 1.
    """
    limits = limits or Limits()
    for image in images:
        check_image(image)
    views = [_View(i, turn, p) for i, p in zip(images, parameters, strict=True) for turn in turns(p)]
    seen: list[_Seen | TooManyCandidates] = []
    for group in runs([view.image.shape[0] * view.image.shape[1] for view in views], most_pixels):
        seen += yield from _look_at(views[group], limits, arrays)
    of_views = iter(seen)
    return [_of_image([next(of_views) for _ in turns(p)]) for p in parameters]


def _look_at(views: Sequence[_View], limits: Limits, arrays: Arrays) -> Flow[list[_Seen | TooManyCandidates]]:
    """Takes views through the three networks together."""
    sources = yield Together("integral", [_source(arrays, view) for view in views])
    proposals = yield from propose(arrays, sources, limits)
    boxes = yield from refine_with_rnet(arrays, sources, [p.boxes for p in proposals], limits)
    faces = yield from detect_with_onet(arrays, sources, boxes, limits)
    return [
        proposal.refusal
        or _Seen(
            view,
            *found,
            dropped=proposal.dropped,
            stage_counts={PNET.name: len(proposal.boxes), RNET.name: len(refined), ONET.name: len(found[0])},
        )
        for view, found, refined, proposal in zip(views, faces, boxes, proposals, strict=True)
    ]


def _source(arrays: Arrays, view: _View) -> Flow[Source]:
    yield from ()
    height, width = view_size(view.turn, *view.image.shape[:2])
    return Source(arrays.image(view.image, view.turn), height, width, view.parameters)


def _of_image(views: Sequence[_Seen | TooManyCandidates]) -> Detection | TooManyCandidates:
    seen = []
    for view in views:
        if isinstance(view, TooManyCandidates):
            return view
        seen.append(view)
    return _detection(seen)


def _detection(views: Sequence[_Seen]) -> Detection:
    """The faces of an image, of all views of it: each once, and those that its parameters choose."""
    image, _, parameters = views[0].view
    height, width, _ = image.shape
    boxes = np.concatenate([boxes_in_picture(seen.boxes, seen.view.turn, height, width) for seen in views])
    landmarks = np.concatenate([points_in_picture(seen.landmarks, seen.view.turn, height, width) for seen in views])
    probabilities = np.concatenate([seen.probabilities for seen in views])
    turn = np.repeat(np.array([seen.view.turn for seen in views], np.int32), [len(seen.boxes) for seen in views])
    faces = best_views(boxes, probabilities, turn)
    chosen = faces[select(boxes[faces], probabilities[faces], height, width, parameters)]
    return Detection(
        boxes[chosen],
        probabilities[chosen],
        landmarks[chosen],
        turn[chosen] * np.int32(90),
        sum(seen.dropped for seen in views),
        {stage: sum(seen.stage_counts[stage] for seen in views) for stage in views[0].stage_counts},
    )


def select(
    boxes: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    height: int,
    width: int,
    parameters: DetectionParameters,
) -> NDArray[np.intp]:
    """Indices of the faces to return, best first.

    `all`: every face, largest first. The others are facenet-pytorch's ways to choose one face; they return one, or
    as many as `max_faces` says. `largest_over_threshold` asks for a probability above 0.9;
    `center_weighted_size` takes from the area twice the squared distance from the image's centre.
    """
    sizes = areas(boxes)
    candidates = np.arange(len(boxes))
    merit = sizes
    if parameters.selection == "probability":
        merit = probabilities
    elif parameters.selection == "largest_over_threshold":
        candidates = np.flatnonzero(probabilities > _PROBABILITY_FLOOR)
    elif parameters.selection == "center_weighted_size":
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        distance = ((centers - np.array([width / 2, height / 2])) ** 2).sum(axis=1)
        merit = sizes - _CENTER_WEIGHT * distance
    order = candidates[np.argsort(merit[candidates], kind="stable")[::-1]]
    limit = parameters.max_faces or (None if parameters.selection == "all" else 1)
    return order[:limit]


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises InvalidInput unless the array is UINT8 [H,W,3] with at least one pixel."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InvalidInput(
            f"image is {image.dtype} {list(image.shape)}, must be uint8 [height, width, 3] with at least one pixel"
        )
