"""MTCNN as facenet-pytorch 2.6.0 computes it, in plain steps: a picture, a level at a time, nothing cut up, no limits.

What the cascade must answer, as a reference for its tests. The networks run in eager torch.
"""

import numpy as np
import torch
from torch.nn.functional import interpolate

from face_cascade import ONET, PNET, RNET
from face_cascade.boxes import cell_boxes, landmark_points, pixel_windows, refine, squared


def detect(networks, pixels, parameters):
    """Boxes FP32 [N,4], probabilities FP32 [N] and landmarks FP32 [N,5,2], in no order that matters.

    networks: torch modules by `Network`. pixels: RGB UINT8 [H,W,3]. Raises nothing: N may be 0.
    """
    picture = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        boxes = _proposals(networks[PNET], picture, parameters)
        boxes, (regression, probability) = _seen(networks[RNET], 24, picture, boxes)
        passed = probability[:, 1] > np.float32(parameters.threshold_rnet)
        boxes, scores, regression = boxes[passed], probability[passed, 1], regression[passed]
        kept = suppressed(boxes, np.argsort(-scores, kind="stable"), 0.7)
        boxes = squared(refine(boxes[kept], regression[kept], plus_one=True))
        boxes, (regression, landmarks, probability) = _seen(networks[ONET], 48, picture, boxes)
    passed = probability[:, 1] > np.float32(parameters.threshold_onet)
    boxes, scores, regression, landmarks = (rows[passed] for rows in (boxes, probability[:, 1], regression, landmarks))
    faces = refine(boxes, regression, plus_one=True)
    kept = suppressed(faces, np.argsort(scores, kind="stable")[::-1], 0.7, over_smaller=True)
    return faces[kept], scores[kept], landmark_points(boxes[kept], landmarks[kept])


def suppressed(boxes, order, threshold, over_smaller=False):
    """Indices of the boxes kept: each in turn takes away those after it that it overlaps by more than the threshold."""
    plus = np.float32(over_smaller)
    left, top, right, bottom = boxes.T
    sizes = (right - left + plus) * (bottom - top + plus)
    kept, rest = [], np.asarray(order)
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest]) + plus
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest]) + plus
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        whole = np.minimum(sizes[best], sizes[rest]) if over_smaller else sizes[best] + sizes[rest] - inter
        rest = rest[~(inter / whole > np.float32(threshold))]
    return np.array(kept, int)


def _proposals(pnet, picture, parameters):
    height, width = picture.shape[2:]
    scale = 12 / parameters.min_face_size
    smallest = min(height, width) * scale
    found = []
    while smallest >= 12:
        small = interpolate(picture, (int(height * scale + 1), int(width * scale + 1)), mode="area")
        regression, probability = pnet((small - 127.5) * 0.0078125)
        scores = probability[0, 1].numpy()
        rows, columns = np.nonzero(scores >= np.float32(parameters.threshold_pnet))
        scores, regression = scores[rows, columns], regression[0].numpy()[:, rows, columns].T
        boxes = cell_boxes(rows, columns, np.float32(scale))
        kept = np.sort(suppressed(boxes, np.argsort(-scores, kind="stable"), 0.5))
        found.append((boxes[kept], scores[kept], regression[kept]))
        scale *= parameters.factor
        smallest *= parameters.factor
    boxes, scores, regression = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = suppressed(boxes, np.argsort(-scores, kind="stable"), 0.7)
    return squared(refine(boxes[kept], regression[kept], plus_one=False))


def _seen(network, side, picture, boxes):
    windows, inside = pixel_windows(boxes, *picture.shape[2:])
    crops = [
        interpolate(picture[:, :, y1:y2, x1:x2], (side, side), mode="area")
        for x1, y1, x2, y2 in windows[inside].tolist()
    ]
    outputs = network((torch.cat(crops) - 127.5) * 0.0078125)
    return boxes[inside], [output.numpy() for output in outputs]
