"""detect_faces(): kinds of pictures, formats, boundaries."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from face_client import FaceClient, InvalidImage, InvalidInput, ServerUnavailable, TooManyPixels
from face_client.mtcnn import MTCNN
from face_client.mtcnn.utils.images import load_image
from tests.client.mtcnn.conftest import BOXES, LANDMARKS, PROBABILITIES

FIRST = {
    # x 10.4, y 20.6, width 50.1, height 69.6, each rounded by itself.
    "box": [10, 21, 50, 70],
    "confidence": pytest.approx(0.85),
    # Halves go to the even neighbour, as NumPy rounds.
    "keypoints": {
        "nose": [31, 50],
        "mouth_right": [42, 71],
        "right_eye": [40, 32],
        "left_eye": [20, 30],
        "mouth_left": [22, 70],
    },
}


@pytest.fixture
def kinds(scene, encode, tmp_path):
    """One picture with one face in every form."""
    pixels = scene(1)
    path = tmp_path / "photo.png"
    path.write_bytes(encode(pixels, "PNG"))
    return {
        "array": pixels,
        "float array": pixels.astype(np.float32),
        "almost whole": pixels * np.float32(1 / 255) * 255,
        "tensor": torch.as_tensor(pixels),
        "Pillow image": Image.fromarray(pixels),
        "bytes": path.read_bytes(),
        "path": str(path),
        "Path": path,
        "load_image": load_image(str(path)),
    }


def test_every_kind_of_picture(detector_of, kinds):
    detector = detector_of()
    for name, image in kinds.items():
        assert detector.detect_faces(image) == [FIRST], name
    # All at once, too.
    assert detector.detect_faces(list(kinds.values())) == [[FIRST]] * len(kinds)
    assert detector.predict(kinds["array"]) == [FIRST]


def test_json_has_plain_numbers_in_the_usual_order(detector_of, scene):
    (face,) = detector_of().detect_faces(scene(1))
    assert list(face) == ["box", "confidence", "keypoints"]
    assert list(face["keypoints"]) == ["nose", "mouth_right", "right_eye", "left_eye", "mouth_left"]
    assert json.loads(json.dumps(face))["box"] == [10, 21, 50, 70]
    assert isinstance(face["confidence"], float)


def test_the_likeliest_first(detector_of, scene):
    confidences = [face["confidence"] for face in detector_of().detect_faces(scene(3))]
    assert confidences == sorted(PROBABILITIES.tolist(), reverse=True)


def test_no_faces(detector_of, scene):
    detector = detector_of()
    assert detector.detect_faces(scene(0)) == []
    assert detector.detect_faces([scene(0), scene(1), scene(0)]) == [[], [FIRST], []]
    assert detector.detect_faces([]) == []
    assert detector.detect_faces(scene(0), output_type="numpy").shape == (0, 16)
    assert detector.detect_faces([], output_type="numpy").shape == (0, 16)


def test_numpy(detector_of, scene):
    rows = detector_of().detect_faces(
        [scene(0), scene(1), scene(3)], output_type="numpy", box_format="xyxy", fit_to_image=False
    )
    assert (rows.dtype, rows.shape) == (np.float64, (4, 16))
    order = [0, 1, 2, 0]
    np.testing.assert_array_equal(rows[:, 0], [1, 2, 2, 2])
    np.testing.assert_array_equal(rows[:, 1:5], BOXES[order])
    np.testing.assert_array_equal(rows[:, 5], PROBABILITIES[order])
    np.testing.assert_array_equal(rows[:, 6:11], LANDMARKS[order, :, 0])
    np.testing.assert_array_equal(rows[:, 11:16], LANDMARKS[order, :, 1])


def test_numpy_with_sizes_is_not_rounded(detector_of, scene):
    (row,) = detector_of().detect_faces(scene(1), output_type="numpy")
    np.testing.assert_allclose(row[1:5], [10.4, 20.6, 50.1, 69.6], atol=1e-5)


@pytest.mark.parametrize(
    ("box_format", "fit_to_image", "box"),
    [
        ("xywh", True, [0, 0, 119, 99]),
        ("xyxy", True, [0, 0, 119, 99]),
        ("xywh", False, [-4, -8, 129, 113]),
        ("xyxy", False, [-4, -8, 125, 105]),
    ],
)
def test_boxes_end_at_the_last_pixel(box_format, fit_to_image, box, detector_of, scene):
    face = detector_of().detect_faces(scene(2), box_format=box_format, fit_to_image=fit_to_image)[0]
    assert face["box"] == box
    # Landmarks stay where they are unless asked for.
    assert face["keypoints"]["left_eye"] == [-2, -3]


def test_landmarks_inside_on_demand(detector_of, scene):
    points = detector_of().detect_faces(scene(2), limit_boundaries_landmarks=True)[0]["keypoints"]
    assert points == {
        "nose": [60, 50],
        "mouth_right": [119, 99],
        "right_eye": [119, 5],
        "left_eye": [0, 0],
        "mouth_left": [0, 99],
    }
    points = detector_of().detect_faces(scene(2), limit_boundaries_landmarks=True, fit_to_image=False)[0]["keypoints"]
    assert points["left_eye"] == [-2, -3]


def test_without_postprocessing_nothing_is_moved_in_one_picture(detector_of, scene):
    plain = detector_of().detect_faces(scene(2), postprocess=False)
    assert plain == detector_of().detect_faces(scene(2), fit_to_image=False)


@pytest.mark.parametrize(
    ("justification", "x", "y"),
    [
        ("center", 15, 10),
        ("top", 15, 0),
        ("topleft", 0, 0),
        ("topright", 31, 0),
        ("bottom", 15, 21),
        ("bottomleft", 0, 21),
        ("bottomright", 31, 21),
        ("left", 0, 10),
        ("right", 31, 10),
    ],
)
def test_without_postprocessing_pictures_lie_in_one_canvas(justification, x, y, detector_of, scene):
    """The smaller one leaves 31 by 21 pixels free; halves are cut."""
    rows = detector_of().detect_faces(
        [scene(1), scene(1, 121, 151)],
        output_type="numpy",
        box_format="xyxy",
        postprocess=False,
        batch_stack_justification=justification,
    )
    np.testing.assert_allclose(rows[0, 1:5], BOXES[0] + [x, y, x, y])
    np.testing.assert_allclose(rows[0, 6:11], LANDMARKS[0, :, 0] + x)
    np.testing.assert_allclose(rows[0, 11:16], LANDMARKS[0, :, 1] + y)
    np.testing.assert_allclose(rows[1, 1:5], BOXES[0])


def test_detection_only(detector_of, scene):
    detector = detector_of("face_detection_only")
    assert detector.detect_faces(scene(1)) == [{"box": FIRST["box"], "confidence": FIRST["confidence"]}]
    assert detector.detect_faces([scene(2), scene(1)], output_type="numpy").shape == (3, 6)
    assert detector.detect_faces(scene(0), output_type="numpy").shape == (0, 6)
    assert detector.detect_faces(scene(1), postprocess=False)[0]["box"] == FIRST["box"]
    assert "keypoints" not in detector.detect_faces(scene(1), limit_boundaries_landmarks=True)[0]


def test_a_file_that_is_no_picture_has_no_faces_and_a_warning(detector_of, scene, encode, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    with pytest.warns(UserWarning, match="picture 0 has no faces because it cannot be read: encoded_image is not"):
        assert detector_of().detect_faces(b"not an image") == []
    with pytest.warns(UserWarning, match="picture 1 has no faces") as warned:
        assert detector_of().detect_faces([scene(1), str(text), encode(scene(1), "BMP")]) == [[FIRST], [], [FIRST]]
    assert warned[0].filename == __file__


def test_a_refused_file_that_is_damaged(make_transport, scene, encode):
    """Its header is fine, so only the server notices."""
    detector = MTCNN(client=FaceClient(transport=make_transport(InvalidImage("encoded_image is damaged or truncated"))))
    whole = encode(scene(1), "PNG")
    with pytest.warns(UserWarning, match="damaged"):
        assert detector.detect_faces(whole[: len(whole) // 2]) == []
    # A picture that can be read was refused for another reason.
    for error in (InvalidInput("factor is wrong"), TooManyPixels("encoded_image has too many")):
        detector = MTCNN(client=FaceClient(transport=make_transport(error)))
        for image in (whole, scene(1)):
            with pytest.raises(type(error), match=str(error)):
                detector.detect_faces(image)


def test_a_path_that_is_not_there(detector_of):
    with pytest.raises(FileNotFoundError):
        detector_of().detect_faces("nowhere.jpg")


@pytest.mark.parametrize("image", [None, 7, {"a": 1}])
def test_what_is_no_picture(image, detector_of, scene):
    with pytest.raises(InvalidImage, match="must be a path, bytes or an array"):
        detector_of().detect_faces(image)
    with pytest.raises(InvalidImage, match="must be a path, bytes or an array"):
        detector_of().detect_faces([scene(1), image])


def test_arrays_of_something_else(detector_of):
    with pytest.raises(InvalidInput, match="from 0 to 300; they must be grey levels"):
        detector_of().detect_faces(np.arange(301).reshape(7, 43))
    with pytest.raises(InvalidInput, match=r"shape \[2, 2, 5\]"):
        detector_of().detect_faces(np.zeros((2, 2, 5), np.uint8))


def test_dropped_candidates_are_told(make_transport, make_answer, scene, recwarn):
    detector = MTCNN(client=FaceClient(transport=make_transport(make_answer(1, candidates_dropped=5))))
    detector.detect_faces(scene(1))
    (warning,) = recwarn
    assert "dropped 5 candidates" in str(warning.message)
    assert warning.filename == __file__


def test_a_server_that_fails(make_transport, scene):
    detector = MTCNN(client=FaceClient(transport=make_transport(ServerUnavailable("no")), retries=0))
    with pytest.raises(ServerUnavailable):
        detector.detect_faces([scene(1), b"not an image"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("box_format", "xyhw"), ("output_type", "dict"), ("batch_stack_justification", "middle")],
)
def test_unknown_words(name, value, detector_of, scene):
    with pytest.raises(ValueError, match=f"{name} is '{value}'; it must be one of"):
        detector_of().detect_faces(scene(1), **{name: value})


def test_confidences_are_pythons(detector_of, scene):
    (face,) = detector_of().detect_faces(scene(1))
    assert type(face["confidence"]) is float


def test_local_urls_are_paths(detector_of, scene, encode, tmp_path):
    path = tmp_path / "a b.png"
    path.write_bytes(encode(scene(2), "PNG"))
    assert len(detector_of().detect_faces(f"file://{path}")) == 2
    with pytest.raises(InvalidInput, match="is the URL"):
        detector_of().detect_faces("https://example.org/a.jpg")


def test_fractions_find_nothing_and_say_so(detector_of, scene, recwarn):
    detector_of().detect_faces(scene(1) / 255)
    (warning,) = recwarn
    assert "multiply it by 255" in str(warning.message)
    assert warning.filename == __file__
