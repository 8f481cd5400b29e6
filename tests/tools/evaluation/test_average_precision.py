"""Average precision: by hand, and beside the protocol written out a picture, a detection, a threshold at a time."""

import numpy as np
import pytest

from face_tools.evaluation.average_precision import (
    THRESHOLDS,
    Detections,
    PrecisionRecall,
    judge,
    normalized,
    overlaps,
    precision_recall,
)


def detections(*rows):
    """Rows of x1, y1, x2, y2, score."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    return Detections(table[:, :4], table[:, 4])


def boxes(*rows):
    return np.array(rows, np.float64).reshape(-1, 4)


def slow_overlap(box, face):
    width = min(box[2], face[2]) - max(box[0], face[0]) + 1
    height = min(box[3], face[3]) - max(box[1], face[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0

    def area(b):
        return (b[2] - b[0] + 1) * (b[3] - b[1] + 1)

    return width * height / (area(box) + area(face) - width * height)


def slow_curve(pictures):
    """The protocol in its own order. pictures: (detections, faces, counted); scores are 0…1 already."""
    total_faces = sum(int(sum(counted)) for _, _, counted in pictures)
    precision, recall = [], []
    for t in range(1, THRESHOLDS + 1):
        threshold = 1 - t / THRESHOLDS
        proposed = found = 0
        for picture, faces, counted in pictures:
            if len(faces) == 0:
                continue
            taken = set()
            # Python sorts stably.
            for i in sorted(range(len(picture.scores)), key=lambda i, s=picture.scores: -s[i]):
                if picture.scores[i] < threshold:
                    break
                similar = [slow_overlap(picture.boxes[i], face) for face in faces]
                best = similar.index(max(similar))
                if similar[best] < 0.5:
                    proposed += 1
                elif counted[best]:
                    proposed += 1
                    if best not in taken:
                        taken.add(best)
                        found += 1
        precision.append(found / proposed if proposed else 0.0)
        recall.append(found / total_faces if total_faces else 0.0)
    return precision, recall


def slow_area(precision, recall):
    """Each step of recall times the best precision from there on."""
    points = [(0.0, 0.0), *zip(recall, precision, strict=True), (1.0, 0.0)]
    area = 0.0
    for i in range(1, len(points)):
        area += (points[i][0] - points[i - 1][0]) * max(p for _, p in points[i:])
    return area


def curve(*pictures):
    return precision_recall(judge(*picture) for picture in pictures)


def test_border_pixels_count():
    assert overlaps(
        boxes([0, 0, 9, 9]), boxes([0, 0, 9, 9], [10, 0, 19, 9], [9, 9, 18, 18], [5, 0, 14, 9])
    ).tolist() == [[1.0, 0.0, 1 / 199, 50 / 150]]


def test_a_box_turned_over_overlaps_nothing():
    assert overlaps(boxes([9, 9, 0, 0]), boxes([0, 0, 9, 9])).tolist() == [[0.0]]


def test_perfect_detections():
    faces = boxes([0, 0, 9, 9], [20, 0, 29, 9])
    result = curve((detections([0, 0, 9, 9, 1.0], [20, 0, 29, 9, 0.5]), faces, np.ones(2, bool)))
    assert result.average_precision == 1.0
    assert result.faces == 2
    # The threshold t is 1 − (t + 1)/1000: half of the faces down to 0.501.
    assert result.recall[[0, 498, 499, 999]].tolist() == [0.5, 0.5, 1.0, 1.0]


def test_by_hand_with_a_false_one_in_between():
    """True, false, true of three faces: (1 + 2/3) / 3."""
    faces = boxes([0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9])
    found = detections([0, 0, 9, 9, 1.0], [100, 0, 109, 9, 0.6], [20, 0, 29, 9, 0.2])
    assert curve((found, faces, np.ones(3, bool))).average_precision == pytest.approx((1 + 2 / 3) / 3)


def test_a_second_detection_of_a_face_is_false():
    found = detections([0, 0, 9, 9, 1.0], [0, 0, 9, 8, 0.9])
    judged = judge(found, boxes([0, 0, 9, 9]), np.array([True]))
    assert judged.proposals.tolist() == [True, True]
    assert judged.hits.tolist() == [True, False]


def test_a_face_outside_the_subset_makes_neither_true_nor_false():
    faces = boxes([0, 0, 9, 9], [20, 0, 29, 9])
    found = detections([20, 0, 29, 9, 1.0], [20, 0, 29, 8, 0.9], [0, 0, 9, 9, 0.5])
    judged = judge(found, faces, np.array([True, False]))
    assert judged.proposals.tolist() == [False, False, True]
    assert judged.hits.tolist() == [False, False, True]
    assert curve((found, faces, np.array([True, False]))).average_precision == 1.0


def test_a_picture_without_a_face_of_the_subset_still_has_false_detections():
    wrong = (detections([50, 50, 59, 59, 0.9]), boxes([0, 0, 9, 9]), np.array([False]))
    right = (detections([0, 0, 9, 9, 0.5]), boxes([0, 0, 9, 9]), np.array([True]))
    assert curve(wrong, right).average_precision == 0.5


def test_a_picture_without_any_annotation_is_passed_over():
    empty = (detections([0, 0, 9, 9, 0.9]), boxes(), np.zeros(0, bool))
    right = (detections([0, 0, 9, 9, 0.5]), boxes([0, 0, 9, 9]), np.array([True]))
    assert curve(empty, right).average_precision == 1.0


def test_half_an_overlap_is_enough():
    faces = boxes([0, 0, 9, 9])
    exactly = judge(detections([0, 0, 9, 4, 1.0]), faces, np.array([True]))
    less = judge(detections([0, 0, 9, 3.99, 1.0]), faces, np.array([True]))
    assert (exactly.hits.tolist(), less.hits.tolist()) == ([True], [False])


def test_nothing_found_and_nothing_to_find():
    nothing = detections()
    missed = curve((nothing, boxes([0, 0, 9, 9]), np.array([True])))
    assert (missed.average_precision, missed.faces, missed.recall[-1]) == (0.0, 1, 0.0)
    assert curve((detections([0, 0, 9, 9, 1.0]), boxes([0, 0, 9, 9]), np.array([False]))).average_precision == 0.0
    assert curve().average_precision == 0.0


def test_the_area_is_under_the_envelope():
    precision, recall = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    precision[:3], recall[:3] = [0.5, 0.4, 0.6], [0.1, 0.2, 0.5]
    precision[3:], recall[3:] = 0.3, 0.5
    assert PrecisionRecall(precision, recall, 10).average_precision == pytest.approx(0.5 * 0.6)


def test_scores_are_stretched_over_the_whole_set():
    stretched = normalized({"a": detections([0, 0, 1, 1, 0.3], [0, 0, 1, 1, 0.5]), "b": detections([0, 0, 1, 1, 0.7])})
    np.testing.assert_allclose(stretched["a"].scores, [0, 0.5])
    np.testing.assert_allclose(stretched["b"].scores, [1])


def test_equal_scores_stretch_to_one_and_none_to_none():
    assert normalized({"a": detections([0, 0, 1, 1, 0.3])})["a"].scores.tolist() == [1.0]
    assert normalized({"a": detections()})["a"].scores.tolist() == []


def random_picture(random):
    """Some faces, some detections near them (twice some) and some anywhere, scores with equals and 0 and 1."""
    faces = boxes(*([x, y, x + w, y + h] for x, y, w, h in random.randint(0, 60, (random.randint(0, 6), 4))))
    near = faces[random.randint(0, len(faces), random.randint(0, 8))] if len(faces) else faces
    near = near + random.randint(-6, 7, near.shape)
    anywhere = random.randint(0, 90, (random.randint(0, 4), 4)).astype(float)
    found = np.concatenate([near, anywhere])
    scores = np.round(random.uniform(-0.1, 1.1, len(found)), 1).clip(0, 1)
    return Detections(found, scores), faces, random.uniform(size=len(faces)) < 0.6


@pytest.mark.parametrize("seed", range(25))
def test_equals_the_protocol_written_out(seed):
    random = np.random.RandomState(seed)
    pictures = [random_picture(random) for _ in range(random.randint(1, 5))]
    precision, recall = slow_curve(pictures)
    result = curve(*pictures)
    np.testing.assert_array_equal(result.precision, precision)
    np.testing.assert_allclose(result.recall, recall, rtol=1e-12)
    assert result.average_precision == pytest.approx(slow_area(precision, recall), abs=1e-12)
