"""Parameters: defaults, reading, and refusals in one sentence."""

import pytest

from face_cascade import DetectionParameters, InvalidInput


def test_defaults_are_the_references():
    p = DetectionParameters.parse({})
    assert (p.min_face_size, p.factor) == (20, 0.709)
    assert (p.threshold_pnet, p.threshold_rnet, p.threshold_onet) == (0.6, 0.7, 0.7)
    assert (p.max_faces, p.selection, p.image_size, p.margin, p.align) == (0, "all", 160, 0, False)


def test_reads_numbers_and_strings():
    p = DetectionParameters.parse({"min_face_size": "40", "max_faces": 3.0, "selection": "largest"})
    assert (p.min_face_size, p.max_faces, p.selection) == (40, 3, "largest")
    assert isinstance(p.max_faces, int)


@pytest.mark.parametrize(("value", "read"), [(True, True), (False, False), ("true", True), ("False", False)])
def test_reads_booleans(value, read):
    assert DetectionParameters.parse({"align": value}).align is read


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"min_face_size": 9}, "min_face_size is 9, must be from 10 to 65535"),
        ({"min_face_size": float("inf")}, "min_face_size is inf, must be from 10 to 65535"),
        ({"threshold_rnet": float("nan")}, "threshold_rnet is nan, must be a number"),
        ({"threshold_onet": True}, "threshold_onet is True, must be a number"),
        ({"factor": 1}, "factor is 1, must be from 0.1 to 0.9"),
        ({"factor": "wide"}, "factor is 'wide', must be a number"),
        ({"max_faces": 1.5}, "max_faces is 1.5, must be a whole number"),
        ({"max_faces": -1}, "max_faces is -1, must be from 0 to 100000"),
        ({"max_faces": float("inf")}, "max_faces is inf, must be a whole number"),
        ({"selection": "best"}, "selection is 'best', must be one of all, largest"),
        ({"selection": 1}, "selection is 1, must be a string"),
        ({"align": 1}, "align is 1, must be true or false"),
        ({"align": "yes"}, "align is 'yes', must be true or false"),
        ({"image_size": 32, "margin": 32}, r"margin is 32, must be less than image_size \(32\)"),
        ({"min_size": 20}, "parameter 'min_size' is unknown, known are min_face_size"),
    ],
)
def test_refusals_name_field_value_and_range(values, sentence):
    with pytest.raises(InvalidInput, match=f"^{sentence}"):
        DetectionParameters.parse(values)


def test_a_long_value_is_shortened():
    with pytest.raises(InvalidInput) as caught:
        DetectionParameters.parse({"factor": "x" * 10_000})
    assert len(str(caught.value)) < 120
