"""The contact sheet, and labels of faces."""

import numpy as np
import pytest
from PIL import Image

from face_client.faces import Faces
from face_tools.drawing import COLUMNS, SIDE, Places, Section, Tile, contact_sheet, draw_faces, sheet_size


def test_the_sheet_shows_every_face():
    colours = [(200, 10 * number, 30) for number in range(COLUMNS + 2)]
    tiles = [
        Tile(np.full((40, 40, 3), colour, np.uint8), f"a name that is far too long {n}\n.jpg")
        for n, colour in enumerate(colours)
    ]
    sections = [Section("cluster 1", tiles), Section("unclustered", tiles[:1])]
    sheet = contact_sheet(sections)
    assert sheet.size == sheet_size(sections)
    pixels = np.asarray(sheet)
    for number, colour in enumerate(colours):
        seen = (pixels == colour).all(axis=2).sum()
        assert seen == SIDE * SIDE * (2 if number == 0 else 1)
    # Nothing is written over the border or into a neighbour.
    assert (pixels[:, -8:] == 255).all()


def test_an_empty_sheet():
    assert isinstance(contact_sheet([]), Image.Image)
    assert contact_sheet([Section("none", [])]).size == sheet_size([Section("none", [])])


def crowd(count, side, gap):
    """Faces of `side` pixels in rows, `gap` pixels apart, some upside down as box regression may leave them."""
    corners = np.array([(x * (side + gap), y * (side + gap)) for y in range(count) for x in range(count)], np.float32)
    boxes = np.concatenate([corners, corners + side], axis=1)
    boxes[::7] = boxes[::7][:, [2, 3, 0, 1]]
    extent = count * (side + gap)
    landmarks = np.repeat(corners[:, np.newaxis] + side / 2, 5, axis=1)
    return Faces(boxes, np.full(len(boxes), 0.99, np.float32), landmarks, extent, extent)


@pytest.mark.parametrize(("side", "gap", "labelled"), [(100, 40, 36), (40, 4, 36), (8, 2, 0)])
def test_labels_cover_neither_each_other_nor_other_faces(side, gap, labelled, monkeypatch):
    patches = {}

    def take(places, number, width, height, take=Places.take):
        patch = take(places, number, width, height)
        if patch is not None:
            patches[number] = patch
        return patch

    monkeypatch.setattr(Places, "take", take)
    faces = crowd(6, side, gap)
    drawing = draw_faces(np.zeros((faces.height, faces.width, 3), np.uint8), faces)
    # Where faces are small and close, labels have no place.
    assert len(patches) >= labelled
    boxes = {
        number: (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        for number, (x1, y1, x2, y2) in enumerate(faces.boxes)
    }
    for number, patch in patches.items():
        assert patch[0] >= 0
        assert patch[1] >= 0
        assert patch[2] <= drawing.width
        assert patch[3] <= drawing.height
        others = [*(p for n, p in patches.items() if n != number), *(b for n, b in boxes.items() if n != number)]
        assert all(patch[2] <= x1 or x2 <= patch[0] or patch[3] <= y1 or y2 <= patch[1] for x1, y1, x2, y2 in others)


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((20, 40, 60, 80), (20, 28, 50, 40)),
        ((20, 4, 60, 80), (20, 80, 50, 92)),
        ((190, -4, 230, 98), (170, 0, 200, 12)),
    ],
)
def test_a_label_alone_stands_above_its_box_below_or_in_it(box, place):
    assert Places((200, 100), [box]).take(0, 30, 12) == place


def test_a_label_larger_than_the_picture_has_a_place():
    assert Places((20, 10), [(0, 0, 20, 10)]).take(0, 30, 12) == (0, 0, 30, 12)
