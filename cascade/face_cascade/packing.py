"""Packs rectangles into square bins: maximal free rectangles, best short side.

Written for tiles: every rectangle starts at an even row and column (PNet's stride), and one whose far edge must
be the tile's own far edge (see `tiles`) can say so.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Rect(NamedTuple):
    """Half-open: rows top…bottom, columns left…right."""

    top: int
    left: int
    bottom: int
    right: int


class Request(NamedTuple):
    """A rectangle to place. `at_bottom`, `at_right`: that edge must lie on the bin's."""

    height: int
    width: int
    at_bottom: bool
    at_right: bool


class Position(NamedTuple):
    bin: int
    top: int
    left: int


@dataclass
class _Bin:
    side: int
    free: list[Rect]

    def best(self, request: Request) -> tuple[int, int, int] | None:
        """(waste, top, left) of the tightest free place, or None."""
        places = []
        for rect in self.free:
            top = self.side - request.height if request.at_bottom else rect.top
            left = self.side - request.width if request.at_right else rect.left
            inside = rect.top <= top and rect.left <= left
            if inside and top + request.height <= rect.bottom and left + request.width <= rect.right:
                waste = min(
                    rect.bottom - rect.top - request.height,
                    rect.right - rect.left - request.width,
                )
                places.append((waste, top, left))
        return min(places, default=None)

    def take(self, used: Rect) -> None:
        """Removes `used` from the free rectangles, keeping the maximal rests."""
        rests = [rest for rect in self.free for rest in _rests(rect, used)]
        self.free = [
            rest
            for i, rest in enumerate(rests)
            if not any(_inside(rest, other) and (rest != other or i > j) for j, other in enumerate(rests) if i != j)
        ]


def _rests(rect: Rect, used: Rect) -> list[Rect]:
    """Up to four maximal parts of `rect` beside `used`; starts stay even."""
    if (
        used.top >= rect.bottom
        or used.bottom <= rect.top
        or used.left >= rect.right
        or used.right <= rect.left
    ):
        return [rect]
    parts = [
        rect._replace(bottom=used.top),
        rect._replace(top=used.bottom + used.bottom % 2),
        rect._replace(right=used.left),
        rect._replace(left=used.right + used.right % 2),
    ]
    return [part for part in parts if part.top < part.bottom and part.left < part.right]


def _inside(inner: Rect, outer: Rect) -> bool:
    return (
        inner.top >= outer.top
        and inner.left >= outer.left
        and inner.bottom <= outer.bottom
        and inner.right <= outer.right
    )


def pack(requests: list[Request], side: int) -> tuple[list[Position], int]:
    """Places every request in square bins [side, side]; each fits in one.

    Returns:
        One position a request, and the number of bins.
    """
    # Bound to a corner first, then to an edge, then the large ones: the least movable find the most room.
    order = sorted(
        range(len(requests)),
        key=lambda i: (
            -(requests[i].at_bottom + requests[i].at_right),
            -requests[i].height * requests[i].width,
        ),
    )
    bins: list[_Bin] = []
    positions = [Position(0, 0, 0)] * len(requests)
    for i in order:
        request = requests[i]
        found = [(best, n) for n, bin_ in enumerate(bins) if (best := bin_.best(request))]
        if found:
            (_, top, left), n = min(found)
        else:
            n = len(bins)
            bins.append(_Bin(side, [Rect(0, 0, side, side)]))
            best = bins[n].best(request)
            if best is None:
                raise ValueError(f"{request} does not fit into a bin of side {side}")
            _, top, left = best
        bins[n].take(Rect(top, left, top + request.height, left + request.width))
        positions[i] = Position(n, top, left)
    return positions, len(bins)
