"""Second and third stage: RNet and ONet on crops of the candidates of all images together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_cascade.arrays import Arrays, Float32
from face_cascade.boxes import landmark_points, pixel_windows, refine, squared
from face_cascade.calls import Call, Flow, Limits, Outputs, Together, runs
from face_cascade.networks import ONET, RNET, Network
from face_cascade.proposals import Source
from face_cascade.suppression import nms, nms_min

NMS_RNET = 0.7
NMS_ONET_MIN = 0.7


@dataclass(frozen=True)
class Candidates:
    """Boxes of one image with what a network said of each: outputs with one row a box."""

    boxes: Float32
    outputs: Outputs


def refine_with_rnet(
    arrays: Arrays, sources: Sequence[Source], boxes: Sequence[Float32], limits: Limits
) -> Flow[list[Float32]]:
    """Squared boxes FP32 [N,4] a image → those that RNet keeps, refined and squared."""
    seen = yield from _classify(arrays, RNET, sources, boxes, limits, limits.rnet)
    return [_after_rnet(c, s.parameters.threshold_rnet) for c, s in zip(seen, sources, strict=True)]


def _after_rnet(candidates: Candidates, threshold: float) -> Float32:
    regression, probability = candidates.outputs
    scores = probability[:, 0]
    passed = np.flatnonzero(scores > np.float32(threshold))
    kept = passed[nms(candidates.boxes[passed], scores[passed], NMS_RNET)]
    return squared(refine(candidates.boxes[kept], regression[kept], plus_one=True))


def detect_with_onet(
    arrays: Arrays, sources: Sequence[Source], boxes: Sequence[Float32], limits: Limits
) -> Flow[list[tuple[Float32, Float32, Float32]]]:
    """Boxes a image → (boxes FP32 [N,4], probabilities FP32 [N], landmarks FP32 [N,5,2]) of its faces."""
    seen = yield from _classify(arrays, ONET, sources, boxes, limits, limits.onet)
    return [_after_onet(c, s.parameters.threshold_onet) for c, s in zip(seen, sources, strict=True)]


def _after_onet(candidates: Candidates, threshold: float) -> tuple[Float32, Float32, Float32]:
    regression, landmarks, probability = candidates.outputs
    scores = probability[:, 0]
    passed = np.flatnonzero(scores > np.float32(threshold))
    boxes = refine(candidates.boxes[passed], regression[passed], plus_one=True)
    kept = nms_min(boxes, scores[passed], NMS_ONET_MIN)
    # Landmarks are relative to the box that ONet saw, not to the one it answers with.
    points = landmark_points(candidates.boxes[passed[kept]], landmarks[passed[kept]])
    return boxes[kept], scores[passed[kept]], points


def _classify(
    arrays: Arrays,
    network: Network,
    sources: Sequence[Source],
    boxes: Sequence[Float32],
    limits: Limits,
    max_batch: int,
) -> Flow[list[Candidates]]:
    """Crops every box and runs the crops of all images through the network, in batches across images.

    Boxes beside the image have nothing to look at; they go, box and crop together.
    """
    windows, kept_boxes = [], []
    for source, of_image in zip(sources, boxes, strict=True):
        whole, inside = pixel_windows(of_image, source.height, source.width)
        windows.append(np.ascontiguousarray(whole[inside]))
        kept_boxes.append(of_image[inside])
    starts = np.concatenate([[0], np.cumsum([len(w) for w in windows], dtype=int)])
    shares = limits.shares(int(starts[-1]), max_batch)
    answers: list[Outputs] = []
    for step in runs([1] * len(shares), limits.step_batches):
        flows = [_classify_share(arrays, network, sources, windows, starts, share) for share in shares[step]]
        answers += yield Together(network.name, flows)
    if not answers:
        return [Candidates(of_image, _no_rows(network)) for of_image in kept_boxes]
    outputs = [np.concatenate(parts) for parts in zip(*answers, strict=True)]
    return [
        Candidates(of_image, tuple(rows[start:stop] for rows in outputs))
        for of_image, start, stop in zip(kept_boxes, starts, starts[1:], strict=False)
    ]


def _classify_share(
    arrays: Arrays,
    network: Network,
    sources: Sequence[Source],
    windows: Sequence[NDArray[np.int32]],
    starts: NDArray[np.int_],
    share: slice,
) -> Flow[Outputs]:
    """One batch: rows share.start…share.stop of all windows, of which image i has starts[i]…starts[i+1]."""
    shown = []
    for source, of_image, start in zip(sources, windows, starts, strict=False):
        first, last = max(share.start, start), min(share.stop, start + len(of_image))
        if first < last:
            shown.append((source.image, of_image[first - start : last - start]))
    return arrays.rows((yield Call(network, arrays.crops(shown, network.side))))


def _no_rows(network: Network) -> Outputs:
    columns = {"regression": 4, "landmarks": 10, "probability": 1}
    return tuple(np.empty((0, columns[name.split("__")[0]]), np.float32) for name in network.outputs)
