"""Packing: nothing overlaps, everything is inside, edges are kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face_cascade.packing import Request, pack

HEIGHT, WIDTH = 50, 65


@st.composite
def requests(draw):
    width = draw(st.integers(11, WIDTH))
    return Request(draw(st.integers(11, HEIGHT)), width, at_right=width % 2 == 1)


@settings(max_examples=150, deadline=None)
@given(st.lists(requests(), max_size=25))
def test_pieces_lie_apart_inside_and_at_their_edges(wanted):
    positions, count = pack(wanted, HEIGHT, WIDTH, 11)
    taken = np.zeros((count, HEIGHT, WIDTH), int)
    for request, position in zip(wanted, positions, strict=True):
        assert position.top % 2 == position.left % 2 == 0
        bottom, right = position.top + request.height, position.left + request.width
        assert bottom <= HEIGHT
        assert right == WIDTH if request.at_right else right <= WIDTH
        taken[position.bin, position.top : bottom, position.left : right] += 1
    assert taken.max(initial=0) <= 1
    assert all(taken[n].any() for n in range(count))


def test_small_ones_share_a_bin():
    assert pack([Request(12, 16)] * 16, HEIGHT, WIDTH, 11)[1] == 1


def test_too_large():
    with pytest.raises(ValueError, match="does not fit"):
        pack([Request(HEIGHT + 1, 12)], HEIGHT, WIDTH, 11)
