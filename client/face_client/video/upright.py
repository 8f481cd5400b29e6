"""Pictures of any format, size and rotation → 4:2:0, upright, with even sides, all of one size."""

from __future__ import annotations

import av
import av.filter

FORMAT = "yuv420p"
"""Three planes of bytes: brightness, and two of colour at half the width and half the height."""

# Degrees counter-clockwise, as the file asks its player to turn the picture → FFmpeg's filters for it.
_TURNS: dict[int, tuple[tuple[str, str], ...]] = {
    0: (),
    90: (("transpose", "cclock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "clock"),),
}


class Upright:
    """Makes pictures alike. One that is in order already comes back itself, and costs nothing.

    A side of an odd number of pixels loses its last row or column, which 4:2:0 has no place for. A picture of
    another size than the first one's, such as in a recorded stream, is scaled to it.
    """

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._graphs: dict[tuple[object, ...], av.filter.Graph] = {}

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        turn = picture.rotation % 360
        turned = turn in (90, 270)
        width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
        if self._size is None:
            self._size = max(2, width // 2 * 2), max(2, height // 2 * 2)
        if turn == 0 and (width, height) == self._size and picture.format.name == FORMAT:
            return picture
        key = picture.width, picture.height, picture.format.name, turn
        if key not in self._graphs:
            self._graphs[key] = _graph(picture, _steps(turn, (width, height), self._size))
        graph = self._graphs[key]
        graph.vpush(picture)
        result = graph.vpull()
        if not picture.format.is_rgb:
            # The graph forgets which green is meant; from RGB, FFmpeg makes its own.
            result.colorspace = picture.colorspace
        return result


def _steps(turn: int, size: tuple[int, int], wanted: tuple[int, int]) -> list[tuple[str, str]]:
    """Filters and their arguments. A turn that is no quarter, which no camera writes, is left out."""
    steps = list(_TURNS.get(turn, ()))
    if tuple(side // 2 * 2 for side in size) == wanted:
        steps.append(("crop", f"{wanted[0]}:{wanted[1]}:0:0"))
    else:
        steps.append(("scale", f"{wanted[0]}:{wanted[1]}"))
    return [*steps, ("format", FORMAT)]


def _graph(picture: av.VideoFrame, steps: list[tuple[str, str]]) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
    )
    filters = [graph.add(name, arguments or None) for name, arguments in steps]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph
