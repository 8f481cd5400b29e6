"""Annotation in the published formats, and what is said of what cannot be used."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import ExifTags, Image

from face_training.annotations.index import INDEX, Report, checked, read_index, write_index
from face_training.annotations.lists import (
    CELEBA_BOXES,
    CELEBA_LANDMARKS,
    POINTS_LIST,
    WIDER_LIST,
    read_celeba,
    read_facial_points,
    read_wider,
)
from face_training.errors import AnnotationError
from tests.training.sets import portrait, write_facial_points, write_picture, write_wider_train


def grey(height=80, width=120):
    return np.full((height, width, 3), 90, np.uint8)


def read(listed):
    report = Report("set")
    return list(checked(listed, report)), report


def test_wider_in_all_its_forms(tmp_path):
    write_wider_train(
        tmp_path,
        {
            "0--A/one.jpg": (grey(), [(10, 12, 30, 40, 0)]),
            "0--A/none.jpg": (grey(), []),
            "1--B/bad.jpg": (grey(), [(5, 5, 40, 40, 1), (50, 5, 30, 30, 0), (1, 1, 8, 9, 0), (9, 9, 0, 4, 0)]),
            "1--B/gone.jpg": (None, [(1, 2, 30, 40, 0)]),
            "1--B/beside.jpg": (grey(), [(200, 5, 40, 40, 0)]),
        },
    )
    pictures, report = read(read_wider(tmp_path))
    assert [picture.path.name for picture in pictures] == ["one.jpg", "none.jpg", "bad.jpg", "beside.jpg"]
    one, none, bad, beside = pictures
    assert one.faces.tolist() == [[10, 12, 40, 52]]
    assert np.isnan(one.landmarks).all()
    assert (one.width, one.height, one.complete) == (120, 80, True)
    assert none.faces.shape == none.ignored.shape == (0, 4)
    assert bad.faces.tolist() == [[50, 5, 80, 35]]
    assert bad.ignored.tolist() == [[5, 5, 45, 45], [1, 1, 9, 10]]
    assert len(beside.faces) == 0
    assert (report.pictures, report.faces, report.landmarks) == (4, 2, 0)
    assert report.skipped == {"the file is missing": 1}
    assert report.ignored == {
        "marked invalid": 1,
        "smaller than 20 pixels": 1,
        "no size": 1,
        "outside of the picture": 1,
    }
    assert report.examples["marked invalid"] == ["1--B/bad.jpg"]


def test_a_file_that_is_no_picture_is_counted(tmp_path):
    write_wider_train(tmp_path, {"0--A/text.jpg": (None, []), "0--A/fine.jpg": (grey(), [])})
    (tmp_path / "WIDER_train" / "images" / "0--A" / "text.jpg").write_text("no picture")
    pictures, report = read(read_wider(tmp_path))
    assert len(pictures) == 1
    assert report.skipped == {"the file is no picture that can be read, or is cut short": 1}


def test_a_picture_that_is_cut_short_is_counted_and_one_without_its_end_marker_is_none(tmp_path):
    names = ("0--A/cut.jpg", "0--A/no-end.jpg", "0--A/fine.jpg")
    write_wider_train(tmp_path, {name: (portrait()[0], []) for name in names})
    for name, lacking in zip(names, (400, 2), strict=False):
        path = tmp_path / "WIDER_train" / "images" / name
        path.write_bytes(path.read_bytes()[:-lacking])
    pictures, report = read(read_wider(tmp_path))
    assert [picture.path.name for picture in pictures] == ["no-end.jpg", "fine.jpg"]
    assert report.skipped == {"the file is no picture that can be read, or is cut short": 1}
    assert report.examples == {"the file is no picture that can be read, or is cut short": ["0--A/cut.jpg"]}


def test_a_picture_that_says_to_be_gigantic_is_counted(tmp_path, monkeypatch):
    write_wider_train(tmp_path, {"0--A/large.jpg": (grey(), []), "0--A/fine.jpg": (grey(8, 12), [])})
    monkeypatch.setattr("face_training.annotations.index.MAX_PIXELS", 200)
    pictures, report = read(read_wider(tmp_path))
    assert [picture.path.name for picture in pictures] == ["fine.jpg"]
    assert report.skipped == {"more than 200 pixels": 1}


def test_a_picture_that_is_turned_when_it_is_shown_is_counted(tmp_path):
    write_wider_train(tmp_path, {"0--A/turned.jpg": (None, [(10, 12, 30, 40, 0)]), "0--A/fine.jpg": (grey(), [])})
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(grey()).save(tmp_path / "WIDER_train" / "images" / "0--A" / "turned.jpg", exif=exif)
    pictures, report = read(read_wider(tmp_path))
    assert [picture.path.name for picture in pictures] == ["fine.jpg"]
    assert report.skipped == {"turned by its EXIF data, unlike its faces": 1}


@pytest.mark.parametrize("text", ["a.jpg\nmany\n", "a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", "a.jpg\n1\n1 2 3\n"])
def test_a_broken_wider_list_says_where(tmp_path, text):
    (tmp_path / WIDER_LIST).write_text(text)
    with pytest.raises(AnnotationError, match=r"line 1: what follows 'a\.jpg' is no list of faces"):
        list(read_wider(tmp_path))


def test_facial_points_have_backslashes_and_left_right_top_bottom(tmp_path):
    pixels, box, points = portrait()
    write_facial_points(tmp_path, {"lfw_5590\\a.jpg": (pixels, box, points), "net_7876\\b.jpg": (pixels, box, points)})
    first = (tmp_path / POINTS_LIST).read_text().splitlines()[0]
    assert first.startswith(f"lfw_5590\\a.jpg {box[0]} {box[2]} {box[1]} {box[3]} {points[0][0]}.000000")
    pictures, report = read(read_facial_points(tmp_path))
    assert [picture.path.name for picture in pictures] == ["a.jpg", "b.jpg"]
    np.testing.assert_array_equal(pictures[0].faces, [box])
    np.testing.assert_array_equal(pictures[0].landmarks, [points])
    assert not pictures[0].complete
    assert report.landmarks == 2


def test_a_broken_facial_point_list_says_where(tmp_path):
    (tmp_path / POINTS_LIST).write_text("\na.jpg 1 2 3\n")
    with pytest.raises(AnnotationError, match="line 2: a path and 14 numbers are wanted, 3 numbers are there"):
        list(read_facial_points(tmp_path))


def write_celeba(root, boxes, points):
    (root / "Anno").mkdir(exist_ok=True)
    rows = [f"{name}    {' '.join(map(str, box))}" for name, box in boxes.items()]
    header = "image_id x_1 y_1 width height"
    (root / "Anno" / CELEBA_BOXES).write_text("\n".join([str(len(rows)), header, *rows]) + "\n")
    rows = [f"{name}  {'  '.join(map(str, np.ravel(five)))}" for name, five in points.items()]
    header = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    (root / "Anno" / CELEBA_LANDMARKS).write_text("\n".join([str(len(rows)), header, *rows]) + "\n")


def test_celeba_has_width_and_height_and_faces_without_size(tmp_path):
    pixels, (x1, y1, x2, y2), points = portrait()
    write_celeba(
        tmp_path,
        {"000001.jpg": (x1, y1, x2 - x1, y2 - y1), "000002.jpg": (0, 0, 0, 0)},
        {"000001.jpg": points, "000002.jpg": points},
    )
    for name in ("000001.jpg", "000002.jpg"):
        write_picture(tmp_path / "img_celeba" / name, pixels)
    (picture,), report = read(read_celeba(tmp_path))
    np.testing.assert_array_equal(picture.faces, [[x1, y1, x2, y2]])
    np.testing.assert_array_equal(picture.landmarks, [points])
    assert report.skipped == {"no usable face": 1}
    assert report.ignored == {"no size": 1}


def test_celeba_lists_must_name_the_same_pictures(tmp_path):
    points = np.zeros((5, 2), int)
    write_celeba(tmp_path, {"1.jpg": (1, 2, 3, 4)}, {"1.jpg": points, "2.jpg": points})
    with pytest.raises(AnnotationError, match=r"do not name the same pictures: 2.jpg is in one of them only"):
        list(read_celeba(tmp_path))
    (tmp_path / "Anno" / CELEBA_BOXES).write_text("7\nheader\n1.jpg 1 2 3 4\n")
    with pytest.raises(AnnotationError, match="should begin with the number of its pictures, which is 1"):
        list(read_celeba(tmp_path))


@pytest.mark.parametrize(
    ("reader", "name"), [(read_wider, WIDER_LIST), (read_facial_points, "Image"), (read_celeba, CELEBA_BOXES)]
)
def test_a_missing_list_is_named(tmp_path, reader, name):
    with pytest.raises(AnnotationError, match=name):
        list(reader(tmp_path))


def test_the_index_gives_back_what_was_written(tmp_path, pictures):
    write_index(tmp_path, pictures, [Report("set")])
    found = read_index(tmp_path)
    assert [picture.as_json() for picture in found] == [picture.as_json() for picture in pictures]
    for a, b in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
    (tmp_path / INDEX).write_text("{}\n")
    with pytest.raises(AnnotationError, match="is damaged"):
        read_index(tmp_path)
    with pytest.raises(AnnotationError, match="run `faces train prepare"):
        read_index(tmp_path / "elsewhere")


PICTURE = {"path": "a.jpg", "width": 9, "height": 9, "faces": [], "landmarks": [], "ignored": [], "complete": True}


@pytest.mark.parametrize(
    "line",
    [
        *(json.dumps({k: v for k, v in PICTURE.items() if k != key}) for key in PICTURE),
        json.dumps(PICTURE)[:-5],
        "[]",
        "null",
        "\xff",
        json.dumps({**PICTURE, "path": 5}),
        json.dumps({**PICTURE, "width": float("inf")}),
        json.dumps({**PICTURE, "landmarks": None}),
        json.dumps({**PICTURE, "landmarks": [None]}),
        json.dumps({**PICTURE, "faces": [[1, 2, 3]]}),
        json.dumps({**PICTURE, "ignored": [[1, 2, float("inf"), 4]]}),
    ],
)
def test_a_damaged_line_of_the_index_is_named(tmp_path, line):
    (tmp_path / INDEX).write_text(f"{json.dumps(PICTURE)}\n{line}\n", encoding="latin-1")
    with pytest.raises(AnnotationError, match=r"pictures\.jsonl, line 2 is damaged: run `faces train prepare"):
        read_index(tmp_path)


def test_a_box_without_an_end_stays_out_of_the_index(tmp_path):
    """A list may say anything; what is written must be read back."""
    pixels, _, points = portrait()
    write_facial_points(tmp_path, {"a.jpg": (pixels, (10, 10, float("inf"), 90), points)})
    listed = [dataclasses.replace(entry, complete=True) for entry in read_facial_points(tmp_path)]
    pictures, report = read(listed)
    write_index(tmp_path, pictures, [report])
    assert report.ignored == {"outside of the picture": 1}
    assert [len(picture.ignored) for picture in read_index(tmp_path)] == [0]


def test_mirrored_twice_is_the_picture_and_once_its_mirror_image(pictures):
    for picture in pictures:
        twice = picture.mirrored().mirrored()
        np.testing.assert_allclose(twice.faces, picture.faces, atol=1e-4)
        np.testing.assert_array_equal(twice.landmarks, picture.landmarks)
    picture = pictures[0]
    mirrored = picture.mirrored()
    (x1, y1, x2, y2), width = picture.faces[0], picture.width
    np.testing.assert_array_equal(mirrored.faces, [[width - x2, y1, width - x1, y2]])
    left_eye, right_eye, nose, left_mouth, right_mouth = picture.landmarks[0].tolist()
    expected = [[width - x, y] for x, y in (right_eye, left_eye, nose, right_mouth, left_mouth)]
    np.testing.assert_array_equal(mirrored.landmarks[0], expected)
