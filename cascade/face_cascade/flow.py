"""The cascade: pyramid → tiles → PNet → RNet → ONet → faces, for a batch of images of any sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from face_cascade.arrays import Arrays
from face_cascade.boxes import areas
from face_cascade.calls import Flow, Limits, Together
from face_cascade.networks import ONET, PNET, RNET
from face_cascade.numpy_arrays import NUMPY
from face_cascade.parameters import DetectionParameters, InvalidInput
from face_cascade.proposals import Source, propose
from face_cascade.refinement import detect_with_onet, refine_with_rnet

# facenet-pytorch's `MTCNN.select_boxes` defaults.
_PROBABILITY_FLOOR = 0.9
_CENTER_WEIGHT = 2.0


@dataclass(frozen=True)
class Detection:
    """The faces of one image, N ≥ 0, in pixels of the image; boxes may pass its border.

    boxes FP32 [N,4] x1,y1,x2,y2; probabilities FP32 [N]; landmarks FP32 [N,5,2]: left eye, right eye, nose, left
    and right mouth corner as the viewer sees them. `candidates_dropped`: how many fell to `Limits.max_candidates`;
    0 unless the picture or the thresholds are extreme. `stage_counts`: how many boxes each network's stage left, by the
    network's name; the last before `selection`.
    """

    boxes: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    candidates_dropped: int = 0
    stage_counts: Mapping[str, int] = field(default_factory=dict)


def detect(
    images: Sequence[NDArray[np.uint8]],
    parameters: Sequence[DetectionParameters],
    limits: Limits | None = None,
    arrays: Arrays = NUMPY,
) -> Flow[list[Detection]]:
    """Finds the faces of all images at once: a flow (see `calls.drive`) that returns one `Detection` each.

    Args:
        images: RGB UINT8 [H,W,3] each, of any sizes.
        parameters: one an image.
        limits: batch sizes of the networks and the cap on candidates.
        arrays: the engine that holds images, tiles, maps and crops; the networks are asked with its arrays.

    Raises:
        InvalidInput: an image is not UINT8 [H,W,3] with H, W ≥ 1.
    """
    limits = limits or Limits()
    for image in images:
        check_image(image)
    sources = yield Together("integral", [_source(arrays, i, p) for i, p in zip(images, parameters, strict=True)])
    proposals = yield from propose(arrays, sources, limits)
    boxes = yield from refine_with_rnet(arrays, sources, [p.boxes for p in proposals], limits)
    faces = yield from detect_with_onet(arrays, sources, boxes, limits)
    return [
        _selected(
            source,
            *found,
            dropped=proposal.dropped,
            stage_counts={PNET.name: len(proposal.boxes), RNET.name: len(refined), ONET.name: len(found[0])},
        )
        for source, found, refined, proposal in zip(sources, faces, boxes, proposals, strict=True)
    ]


def _source(arrays: Arrays, image: NDArray[np.uint8], parameters: DetectionParameters) -> Flow[Source]:
    yield from ()
    height, width, _ = image.shape
    return Source(arrays.image(image), height, width, parameters)


def _selected(
    source: Source,
    boxes: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    dropped: int,
    stage_counts: Mapping[str, int],
) -> Detection:
    chosen = select(boxes, probabilities, source.height, source.width, source.parameters)
    return Detection(boxes[chosen], probabilities[chosen], landmarks[chosen], dropped, stage_counts)


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
