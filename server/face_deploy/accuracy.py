"""How good answers are where the faces of the pictures are known, by the protocol of WIDER FACE."""

from collections.abc import Mapping

import numpy as np

from face_client.evaluation.average_precision import Detections, judge, normalized, precision_recall
from face_client.evaluation.wider_truth import Truth
from face_deploy.answers import Accuracy, Answer


def accuracy(answers: Mapping[str, Answer], truth: Truth) -> dict[str, Accuracy]:
    """By subset. answers: by the picture's name, as the annotation has it; all must be in the annotation."""
    found = normalized(
        {name: Detections(a.boxes.astype(float), a.probabilities.astype(float)) for name, a in answers.items()}
    )
    return {subset: _of_subset(found, truth, subset) for subset in truth.subsets}


def _of_subset(found: Mapping[str, Detections], truth: Truth, subset: str) -> Accuracy:
    judged = [
        judge(detections, truth.pictures[name].boxes, truth.pictures[name].counted[subset])
        for name, detections in found.items()
    ]
    faces = sum(picture.faces for picture in judged)
    hits = sum(int(picture.hits.sum()) for picture in judged)
    false = sum(int(np.sum(picture.proposals & ~picture.hits)) for picture in judged)
    return Accuracy(faces, precision_recall(judged).average_precision, hits / max(faces, 1), false)
