"""Packs rectangles into bins: maximal free rectangles, best short side (Jylänki 2010).

Written for tiles: every rectangle starts at an even row and column (PNet's stride), and one that must end at the bin's
right edge (see `tiles`) can say so.
"""

from typing import NamedTuple


class Rect(NamedTuple):
    """Half-open: rows top…bottom, columns left…right."""

    top: int
    left: int
    bottom: int
    right: int


class Request(NamedTuple):
    """A rectangle to place. `at_right`: its right edge must lie on the bin's."""

    height: int
    width: int
    at_right: bool = False


class Position(NamedTuple):
    bin: int
    top: int
    left: int


class _Bin:
    def __init__(self, number: int, height: int, width: int, smallest: int) -> None:
        self.number = number
        self._width = width
        self._smallest = smallest
        self.free = [Rect(0, 0, height, width)]
        self.tallest, self.widest = height, width

    def best(self, request: Request) -> tuple[int, int, int] | None:
        """(waste, top, left) of the tightest free place, or None."""
        best = None
        for rect in self.free:
            left = self._width - request.width if request.at_right else rect.left
            spare_height = rect.bottom - rect.top - request.height
            spare_width = rect.right - left - request.width
            if left >= rect.left and spare_height >= 0 and spare_width >= 0:
                place = (min(spare_height, spare_width), rect.top, left)
                best = min(best, place) if best else place
        return best

    def take(self, used: Rect) -> None:
        """Removes `used` from the free rectangles, keeping the maximal rests."""
        untouched, rests = [], []
        for rect in self.free:
            overlaps = (
                used.top < rect.bottom and used.bottom > rect.top and used.left < rect.right and used.right > rect.left
            )
            if overlaps:
                rests += self._rests(rect, used)
            else:
                untouched.append(rect)
        rests = list(dict.fromkeys(rests))
        self.free = untouched + [
            rest for rest in rests if not any(other != rest and _inside(rest, other) for other in untouched + rests)
        ]
        self.tallest = max((rect.bottom - rect.top for rect in self.free), default=0)
        self.widest = max((rect.right - rect.left for rect in self.free), default=0)

    def _rests(self, rect: Rect, used: Rect) -> list[Rect]:
        """Up to four maximal parts of `rect` beside `used`; starts stay even, slivers go."""
        parts = [
            Rect(rect.top, rect.left, used.top, rect.right),
            Rect(used.bottom + used.bottom % 2, rect.left, rect.bottom, rect.right),
            Rect(rect.top, rect.left, rect.bottom, used.left),
            Rect(rect.top, used.right + used.right % 2, rect.bottom, rect.right),
        ]
        return [
            part
            for part in parts
            if part.bottom - part.top >= self._smallest and part.right - part.left >= self._smallest
        ]


def _inside(inner: Rect, outer: Rect) -> bool:
    return (
        inner.top >= outer.top
        and inner.left >= outer.left
        and inner.bottom <= outer.bottom
        and inner.right <= outer.right
    )


def pack(requests: list[Request], height: int, width: int, smallest: int) -> tuple[list[Position], int]:
    """Places every request in bins [height, width]; each fits in one and has sides of at least `smallest`.

    Returns:
        One position a request, and the number of bins.
    """
    # Those bound to an edge first, then the large ones: the least movable find the most room.
    order = sorted(
        range(len(requests)),
        key=lambda i: (not requests[i].at_right, -requests[i].height * requests[i].width),
    )
    positions = [Position(0, 0, 0)] * len(requests)
    open_bins: list[_Bin] = []
    count = 0
    for i in order:
        request = requests[i]
        found = [
            (best, n)
            for n, bin_ in enumerate(open_bins)
            # Most bins of a large batch are told at a glance to have no room.
            if bin_.tallest >= request.height and bin_.widest >= request.width and (best := bin_.best(request))
        ]
        if not found:
            bin_ = _Bin(count, height, width, smallest)
            first = bin_.best(request)
            if first is None:
                raise ValueError(f"{request} does not fit into a bin of {height}x{width}")
            found = [(first, len(open_bins))]
            open_bins.append(bin_)
            count += 1
        (_, top, left), n = min(found)
        bin_ = open_bins[n]
        bin_.take(Rect(top, left, top + request.height, left + request.width))
        if not bin_.free:
            open_bins.pop(n)
        positions[i] = Position(bin_.number, top, left)
    return positions, count
