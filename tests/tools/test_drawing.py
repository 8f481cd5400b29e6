"""The contact sheet."""

import numpy as np
from PIL import Image

from face_tools.drawing import COLUMNS, SIDE, Section, Tile, contact_sheet, sheet_size


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
