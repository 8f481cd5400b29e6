"""How many faces it takes, against the tails of the binomial distribution counted out."""

import itertools
import math

import pytest

from face_admin.deploy.confidence import CONFIDENCE, faces_for_loss, faces_for_share, loss_doubt, shown_share


def tail(hits, of, share):
    """The chance of so many hits or more."""
    return sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits, of + 1))


@pytest.mark.parametrize(
    ("hits", "of", "least", "needed"),
    [
        (7, 7, 0.9, 25),
        (7, 7, 0.99, 268),
        (270, 290, 0.9, 253),
        (9, 10, 0.9, None),
        (8, 10, 0.9, None),
        (10, 10, 1, None),
        (1, 10, 0, 0),
    ],
)
def test_faces_for_a_share(hits, of, least, needed):
    assert faces_for_share(hits, of, least) == needed


def test_a_share_is_shown_by_as_many_faces_as_are_asked_for_and_no_fewer():
    for of, least in itertools.product((1, 7, 24, 25, 60, 300), (0.5, 0.9, 0.99)):
        for hits in range(of // 2, of + 1):
            needed = faces_for_share(hits, of, least)
            assert (shown_share(hits, of) >= least - 1e-12) is (needed is not None and of >= needed)


@pytest.mark.parametrize("of", [25, 60, 290, 600])
def test_a_worse_truth_seldom_passes(of):
    """The score test keeps its promise approximately: near 1 it is wrong a little oftener than once in twenty."""
    least = 0.9
    passing = next(hits for hits in range(of + 1) if shown_share(hits, of) >= least)
    assert tail(passing, of, least) < 1.5 * (1 - CONFIDENCE)


def test_faces_for_a_loss():
    assert faces_for_loss(0, 0, 50, 0.01) == 268
    assert faces_for_loss(10, 10, 300, 0.01) > 300
    assert faces_for_loss(10, 30, 300, 0.01) < 300
    assert faces_for_loss(1, 0, 100, 0.01) is None
    assert faces_for_loss(0, 0, 100, 0) is None


def test_the_sentence_says_how_many_are_needed():
    sentence = loss_doubt(2, 2, 300, 0.01, "recall")
    assert sentence.startswith("these faces, 300 in all, 2 lost and 2 gained, do not show at 95% confidence that")
    needed = faces_for_loss(2, 2, 300, 0.01)
    assert f"at least {needed:,} faces in all" in sentence
    times = math.ceil(needed / 300)
    assert loss_doubt(2 * times, 2 * times, 300 * times, 0.01, "recall") == ""
    assert loss_doubt(9, 2, 300, 0.01, "recall") == "", "a loss that is too large fails by itself"
    assert "no number of faces" in loss_doubt(0, 0, 300, 0, "recall")
