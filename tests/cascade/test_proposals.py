"""Cells of PNet, in one order whoever found them."""

import numpy as np

from face_cascade.arrays import Cells
from face_cascade.proposals import _Cells, _in_row_major_order


def cells(patches, rows, columns, scores):
    return Cells(
        *(np.array(values, np.intp) for values in (patches, rows, columns)),
        np.array(scores, np.float32),
        np.array([[score, score + 1, score + 2, score + 3] for score in scores], np.float32).reshape(-1, 4),
    )


def in_order(levels, found):
    """levels: of the patches of each part."""
    parts = [
        _Cells.of_patches(np.asarray(numbers, np.int32), part) for numbers, part in zip(levels, found, strict=True)
    ]
    return _in_row_major_order(_Cells.joined(parts))


def test_cells_on_end():
    first, none, second = cells([3, 1], [0, 5], [7, 8], [0.5, 0.25]), cells([], [], [], []), cells([0], [9], [6], [1])
    joined = Cells.joined([first, none, second])
    assert joined.patches.tolist() == [3, 1, 0]
    assert joined.rows.tolist() == [0, 5, 9]
    assert joined.columns.tolist() == [7, 8, 6]
    assert joined.scores.tolist() == [0.5, 0.25, 1]
    assert joined.regression[:, 3].tolist() == [3.5, 3.25, 4]
    assert (joined.patches.dtype, joined.scores.dtype) == (np.intp, np.float32)


def test_cells_come_in_row_major_order_of_their_levels():
    """However they were dealt to tiles and batches: each batch counts its patches from 0."""
    random = np.random.RandomState(2)
    # Level, row, column; wide and high, so that a row or column taken for the other would show.
    places = [(level, row, column) for level in (0, 2, 3) for row in (0, 1, 40) for column in (0, 2, 500)]
    for _ in range(20):
        parts = np.array_split(random.permutation(len(places)), 3)
        levels, found = [], []
        for part in parts:
            of_patch = random.permutation([0, 1, 2, 3])
            number = {level: n for n, level in enumerate(of_patch.tolist())}
            chosen = [places[n] for n in part]
            levels.append(of_patch)
            found.append(
                cells(
                    [number[level] for level, _, _ in chosen],
                    [row for _, row, _ in chosen],
                    [column for _, _, column in chosen],
                    part.tolist(),
                )
            )
        ordered = in_order(levels, found)
        together = zip(ordered.levels.tolist(), ordered.rows.tolist(), ordered.columns.tolist(), strict=True)
        assert list(together) == sorted(places)
        assert ordered.scores.tolist() == list(range(len(places)))
        assert ordered.regression[:, 1].tolist() == list(range(1, len(places) + 1))


def test_no_cells():
    for levels, found in (([], []), ([np.array([4, 5])], [cells([], [], [], [])])):
        ordered = in_order(levels, found)
        assert len(ordered.levels) == len(ordered.rows) == len(ordered.columns) == len(ordered.scores) == 0
        assert ordered.regression.shape == (0, 4)
