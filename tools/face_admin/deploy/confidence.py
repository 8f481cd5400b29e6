"""Whether so many faces show what a gate claims: score tests for shares, one-sided, in closed form.

Seven faces of seven say nothing of the eighth. A share is shown where it would come out as it did, or better, at most
once in twenty times if the truth were worse than the limit. It is taken for granted that one face says nothing of the
next, which is truer of many pictures than of one crowd.

Sources: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927), for one
share; T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", Statistics in Medicine 17 (1998), for the difference of two shares of the same faces.
"""

import argparse
import math
from statistics import NormalDist

ACCEPT_FEW = "--accept-few"

CONFIDENCE = 0.95

_Z = NormalDist().inv_cdf(CONFIDENCE)


def shown_share(hits: int, of: int) -> float:
    """The largest share that so many hits show: the lower bound of Wilson's interval. of: at least 1."""
    share, square = hits / of, _Z**2
    spread = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of**2))
    return max(0.0, (share + square / (2 * of) - spread) / (1 + square / of))


def faces_for_share(hits: int, of: int, least: float) -> int | None:
    """How many faces it takes to show a share of `least`, if they come out as these do. of: at least 1.

    These are enough where it is at most `of`. None: no number is, since their own share is not above `least`.
    """
    share = hits / of
    if not share > least:
        return None
    return math.ceil(_Z**2 * least * (1 - least) / (share - least) ** 2)


def faces_for_loss(lost: int, gained: int, of: int, most: float) -> int | None:
    """The same for a loss of at most `most` of all faces. lost, gained: found before and not now, and the reverse."""
    room = of * most - (lost - gained)
    if not room > 0:
        return None
    # The likeliest share of gained faces if the loss were just `most`.
    linear = -lost - gained + (2 * of - lost + gained) * most
    root = math.sqrt(linear**2 + 8 * of * gained * most * (1 - most))
    gained_share = (root - linear) / (4 * of)
    return math.ceil(_Z**2 * of * of * (2 * gained_share + most * (1 - most)) / room**2)


def share_doubt(hits: int, of: int, least: float, what: str) -> str:
    """Why faces whose share keeps the limit do not show it, in a sentence; empty where they do, or do not keep it.

    what: the share is, with its article.
    """
    if not of or hits / of < least:
        return ""
    needed = faces_for_share(hits, of, least)
    if needed is not None and of >= needed:
        return ""
    shown = f"these faces, {of:,} in all, show {what} of {shown_share(hits, of):.3f} at {CONFIDENCE:.0%} confidence"
    return f"{shown}, must be at least {least:g}: {_advice(needed)}"


def loss_doubt(lost: int, gained: int, of: int, most: float, what: str) -> str:
    """The same of a loss. what: falls by it."""
    if not of or (lost - gained) / of > most:
        return ""
    needed = faces_for_loss(lost, gained, of, most)
    if needed is not None and of >= needed:
        return ""
    faces = f"these faces, {of:,} in all, {lost:,} lost and {gained:,} gained"
    return (
        f"{faces}, do not show at {CONFIDENCE:.0%} confidence that {what} falls by {most:g} at most: {_advice(needed)}"
    )


def _advice(needed: int | None) -> str:
    all_the_same = f"judge by these all the same with {ACCEPT_FEW}"
    if needed is None:
        return f"no number of faces that come out like these would; set another limit, or {all_the_same}"
    return f"give pictures with at least {needed:,} faces in all, or {all_the_same}"


def add_accept_few(group: argparse._ArgumentGroup) -> None:
    """The option of commands that judge."""
    group.add_argument(
        ACCEPT_FEW,
        action="store_true",
        help="judge by the faces that there are, also where they are too few to show what is asked for at "
        f"{CONFIDENCE:.0%}% confidence",
    )
