"""mtcnn(img): faces cut out, standardised, saved; with their probabilities."""

import numpy as np
import pytest
import torch
from PIL import Image

from face_client import InvalidInput
from face_client.drop_in import NotHere
from face_client.facenet_pytorch import extract_face, fixed_image_standardization, prewhiten
from face_client.facenet_pytorch.models.utils.detect_face import detect_face
from tests.client.facenet_pytorch.conftest import BOXES, PROBABILITIES


def assert_is_face(face, size=160):
    assert isinstance(face, torch.Tensor)
    assert (face.dtype, face.shape, face.device.type) == (torch.float32, (3, size, size), "cpu")


def test_one_face_of_one_picture(mtcnn_of, scene):
    face, probability = mtcnn_of()(scene(3), return_prob=True)
    assert_is_face(face)
    assert isinstance(probability, float)
    assert probability == pytest.approx(0.85)
    assert -1 < face.min() < 0 < face.max() < 1
    assert_is_face(mtcnn_of(image_size=80)(scene(1)), 80)


def test_all_faces_of_one_picture(mtcnn_of, scene):
    faces, probabilities = mtcnn_of(keep_all=True)(scene(3), return_prob=True)
    assert faces.shape == (3, 3, 160, 160)
    assert (probabilities.dtype, probabilities.shape) == (object, (3,))


def test_no_face(mtcnn_of, scene):
    assert mtcnn_of()(scene(0)) is None
    assert mtcnn_of()(scene(0), return_prob=True) == (None, None)
    faces, probabilities = mtcnn_of(keep_all=True)(scene(0), return_prob=True)
    assert faces is None
    assert probabilities.tolist() == [None]


def test_many_pictures(mtcnn_of, scene):
    faces, probabilities = mtcnn_of()([scene(3), scene(1)], return_prob=True)
    assert isinstance(faces, list)
    for face in faces:
        assert_is_face(face)
    assert probabilities.shape == (2, 1)
    faces, probabilities = mtcnn_of(keep_all=True)(np.stack([scene(3), scene(0)]), return_prob=True)
    assert faces[0].shape == (3, 3, 160, 160)
    assert faces[1] is None
    assert probabilities[1] == [None]


def test_many_pictures_of_which_one_has_no_face(mtcnn_of, scene):
    """facenet-pytorch fails here with NumPy 1.24 or later."""
    faces, probabilities = mtcnn_of()([scene(0), scene(2)], return_prob=True)
    assert faces[0] is None
    assert_is_face(faces[1])
    assert probabilities.tolist() == [[None], [pytest.approx(0.85)]]
    assert mtcnn_of()([]) == []


def test_without_standardisation_faces_are_grey_levels(mtcnn_of, scene):
    plain, standard = mtcnn_of(post_process=False)(scene(2)), mtcnn_of()(scene(2))
    assert plain.max() > 100
    torch.testing.assert_close(plain, plain.round())
    torch.testing.assert_close(fixed_image_standardization(plain), standard)


def test_detect_and_extract_are_what_a_call_does(mtcnn_of, scene):
    mtcnn = mtcnn_of(keep_all=True, margin=20)
    for pictures in (scene(3), [scene(3), scene(0)]):
        boxes, _ = mtcnn.detect(pictures)
        torch.testing.assert_close(mtcnn.extract(pictures, boxes, None), mtcnn(pictures))


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_faces_have_three_colours_whatever_the_picture(mode, mtcnn_of, scene):
    assert_is_face(mtcnn_of()(Image.fromarray(scene(1)).convert(mode)))
    assert_is_face(mtcnn_of()(scene(1)[:, :, 0]))
    assert_is_face(mtcnn_of()(torch.as_tensor(scene(1)[:, :, 0])))


@pytest.mark.parametrize("kind", [Image.fromarray, np.asarray, torch.as_tensor], ids=["Pillow", "array", "tensor"])
def test_saved_faces_are_not_standardised(kind, mtcnn_of, scene, tmp_path):
    picture = kind(scene(2))
    mtcnn_of()(picture, save_path=str(tmp_path / "new" / "folder" / "face.png"))
    saved = np.asarray(Image.open(tmp_path / "new" / "folder" / "face.png"))
    expected = extract_face(picture, BOXES[0])
    np.testing.assert_array_equal(saved.transpose(2, 0, 1), expected.numpy())


def test_names_of_several_faces(mtcnn_of, scene, tmp_path, monkeypatch):
    picture = Image.fromarray(scene(3))
    mtcnn_of(keep_all=True)(picture, save_path=tmp_path / "a.b.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.b.png", "a.b_2.png", "a.b_3.png"]
    monkeypatch.chdir(tmp_path)
    mtcnn_of(keep_all=True)([picture, picture], save_path=["here.jpg", "sub/there.png"])
    assert (tmp_path / "here_3.jpg").exists()
    assert (tmp_path / "sub" / "there_2.png").exists()


def test_nothing_is_saved_without_a_face_nor_without_keep_all(mtcnn_of, scene, tmp_path):
    mtcnn_of()([scene(0), scene(3)], save_path=[str(tmp_path / "none.png"), str(tmp_path / "one.png")])
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


def test_one_path_for_each_picture(mtcnn_of, scene):
    with pytest.raises(InvalidInput, match="save_path has 1 paths for 2 pictures"):
        mtcnn_of()([scene(1), scene(1)], save_path="face.png")


def test_a_file_that_cannot_be_written(mtcnn_of, scene, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        mtcnn_of()(scene(1), save_path=tmp_path / "file" / "face.png")


def test_prewhiten():
    x = torch.arange(48.0).reshape(3, 4, 4)
    torch.testing.assert_close(prewhiten(x).mean(), torch.tensor(0.0))
    torch.testing.assert_close(prewhiten(x).std(), torch.tensor(1.0))
    # Without contrast the least deviation keeps the quotient finite.
    torch.testing.assert_close(prewhiten(torch.full((3, 4, 4), 7.0)), torch.zeros(3, 4, 4))


def test_probabilities_belong_to_the_faces(mtcnn_of, scene):
    for method, index in {"largest": 0, "probability": 2, "largest_over_threshold": 1}.items():
        picture = Image.fromarray(scene(3))
        face, probability = mtcnn_of(selection_method=method)(picture, return_prob=True)
        assert probability == pytest.approx(float(PROBABILITIES[index]))
        torch.testing.assert_close(face, fixed_image_standardization(extract_face(picture, BOXES[index])))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_pictures_of_every_number_type(dtype, kind, mtcnn_of, scene, tmp_path):
    if dtype == np.uint16 and kind is torch.as_tensor:
        dtype = np.int16
    mtcnn = mtcnn_of()
    saved = tmp_path / "face.png"
    face = mtcnn(kind(scene(2).astype(dtype)), save_path=saved)
    assert torch.equal(face, mtcnn(kind(scene(2))))
    assert saved.exists()


def test_bfloat16_and_other_channels(mtcnn_of, scene):
    mtcnn = mtcnn_of()
    pixels = scene(2) & 0xF8
    pixels[0, 0, 0] = 2
    assert torch.equal(mtcnn(torch.from_numpy(pixels).to(torch.bfloat16)), mtcnn(torch.from_numpy(pixels)))
    clear = np.dstack([scene(2), np.zeros((100, 120), np.uint8)])
    assert torch.equal(mtcnn(clear), mtcnn(scene(2)))
    assert torch.equal(mtcnn(torch.from_numpy(clear)), mtcnn(torch.from_numpy(scene(2))))
    assert mtcnn(scene(2)[:, :, :1]).shape == (3, 160, 160)


def test_fractions_find_nothing_and_say_so(mtcnn_of, scene):
    for picture in (scene(2) / 255, torch.from_numpy(scene(2)) / 255, torch.from_numpy(scene(2))[None] / 255):
        with pytest.warns(UserWarning, match="multiply it by 255"):
            mtcnn_of().detect(picture)


@pytest.mark.parametrize("margin", [160, 200, float("nan"), float("inf"), -float("inf"), None, "3"])
def test_margins_that_cannot_be(margin, mtcnn_of, scene):
    with pytest.raises(InvalidInput, match=r"^margin is .*less than image_size"):
        mtcnn_of(margin=margin)
    mtcnn = mtcnn_of()
    mtcnn.margin = margin
    with pytest.raises(InvalidInput, match=r"^margin is "):
        mtcnn(scene(1))


@pytest.mark.parametrize("image_size", [0, -160, 160.5, None, float("nan")])
def test_sizes_that_cannot_be(image_size, mtcnn_of):
    with pytest.raises(InvalidInput, match=r"^image_size is "):
        mtcnn_of(image_size=image_size)


def test_numbers_may_be_tensors(mtcnn_of, scene, transport):
    mtcnn_of(
        thresholds=torch.tensor([0.5, 0.625, 0.75]),
        min_face_size=torch.tensor(30),
        factor=np.array(0.5),
        margin=torch.tensor(10),
        image_size=np.int64(80),
    )(scene(1))
    assert dict(transport.requests[0].parameters) == {
        "min_face_size": 30,
        "threshold_pnet": 0.5,
        "threshold_rnet": 0.625,
        "threshold_onet": 0.75,
        "factor": 0.5,
    }


@pytest.mark.parametrize("thresholds", [None, 0.6, [0.6, 0.7], [0.6, 0.7, 0.7, 0.8]])
def test_thresholds_that_cannot_be(thresholds, mtcnn_of):
    with pytest.raises(InvalidInput, match=r"^thresholds is .*three numbers"):
        mtcnn_of(thresholds=thresholds)


def test_paths_of_every_kind(mtcnn_of, scene, tmp_path):
    mtcnn = mtcnn_of()
    mtcnn([scene(1), scene(1)], save_path=[None, tmp_path / "b.png"])
    mtcnn([scene(1), scene(1)], save_path=(str(tmp_path / name) for name in ("c.png", "d.png")))
    mtcnn(scene(1), save_path=[tmp_path / "e.png"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "c.png", "d.png", "e.png"]
    for save_path in (3, b"a.png", [3]):
        with pytest.raises(InvalidInput, match=r"^save_path "):
            mtcnn(scene(1), save_path=save_path)


@pytest.mark.parametrize("numbers", [{"threshold": float("nan")}, {"threshold": None}, {"center_weight": float("inf")}])
def test_numbers_of_a_choice_that_cannot_be(numbers, mtcnn_of, scene):
    mtcnn = mtcnn_of()
    found = mtcnn.detect(scene(2), landmarks=True)
    with pytest.raises(InvalidInput, match=f"^{next(iter(numbers))} is "):
        mtcnn.select_boxes(*found, scene(2), method="largest_over_threshold", **numbers)


def test_detect_face_asks_the_detectors_server(mtcnn_of, scene):
    mtcnn = mtcnn_of()
    networks = mtcnn.pnet, mtcnn.rnet, mtcnn.onet
    boxes, points = detect_face([scene(3), scene(0)], 20, *networks, [0.6, 0.7, 0.7], 0.709, "cpu")
    assert (boxes.shape, boxes[0].shape, points[0].shape, boxes[1].shape) == ((2,), (3, 5), (3, 5, 2), (0, 5))
    assert list(boxes[0][:, 4]) == sorted(boxes[0][:, 4], reverse=True)
    with pytest.raises(NotHere, match="rnet is of type Linear"):
        detect_face(scene(3), 20, mtcnn.pnet, torch.nn.Linear(1, 1), mtcnn.onet, [0.6, 0.7, 0.7], 0.709)
