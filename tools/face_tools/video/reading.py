"""The frames of a video file or a camera: upright, 4:2:0, with square pixels and even sides, all of one size."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import av.error
import av.filter
import numpy as np

from face_client.errors import InvalidInput, VideoError
from face_tools.video.frames import READ_TIMEOUT_S, Frame
from face_tools.video.reading_ahead import NothingCame, ReadingAhead

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = "yuv420p"
"""Three planes of bytes: brightness, and two of colour at half the width and half the height."""

# Of raw streams, which say nothing of time: FFmpeg's own guess.
_UNKNOWN_RATE = Fraction(25)

# Width to height, or the other way round; CinemaScope's is 2.
_LONGEST_PIXEL = 4

# Degrees counter-clockwise, as the file asks its player to turn the picture → FFmpeg's filters for it.
_TURNS: dict[int, tuple[tuple[str, str], ...]] = {
    0: (),
    90: (("transpose", "cclock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "clock"),),
}


class _Facts(NamedTuple):
    """What a video says of itself when it is opened."""

    rate: Fraction
    frames: int | None
    aspect: Fraction | None
    has_sound: bool
    hides_transparency: bool


class VideoReader:
    """Frames in order, upright. Iterate once; close it, or use `with`.

    source: a file, whatever else FFmpeg opens, such as "rtsp://…", or "-": standard input.
    container: FFmpeg's name of the format, where the source does not tell; its devices have one too.
    options: FFmpeg's for that format.
    read_timeout: seconds to wait for the next frame, and for the first one after the source was opened; None: for ever.

    name: what errors call it, by default the source. path: of a file, else None. rate: frames a second on average.
    has_sound: whether there is any. count: frames in it, as far as it tells; None if it does not.
    start: seconds of the first frame on the source's own clock, once that frame was read.
    damaged: packets left out so far because they could not be decoded.
    hides_transparency: whether it has some that is not decoded, as in WebM: what lies under it is in the frames.

    Times rise from frame to frame: one that has none, or an earlier one than its predecessor, as where two recordings
    were joined, comes 1 / rate after it.

    Raises VideoError if it cannot be opened or has no picture, and in the iteration where it cannot be read on.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        container: str | None = None,
        options: Mapping[str, str] | None = None,
        read_timeout: float | None = READ_TIMEOUT_S,
        name: str | None = None,
    ) -> None:
        if read_timeout is not None and not read_timeout > 0:
            raise InvalidInput(f"read_timeout is {read_timeout}; it must be above 0, or None")
        self.name = name or ("standard input" if source == "-" else os.fspath(source))
        # What can be read a second time, for its sound.
        self.path = Path(source) if container is None and Path(source).is_file() else None
        self.damaged = 0
        self.start = 0.0
        self._read_timeout = read_timeout
        arguments = {"format": container, "options": dict(options or {}), "timeout": read_timeout}
        self._source = ReadingAhead(self._read(_url(source, container), arguments), read_timeout)
        try:
            facts = self._next()
        except BaseException:
            self.close()
            raise
        assert isinstance(facts, _Facts)
        self.rate, self.count, self._aspect, self.has_sound, self.hides_transparency = facts

    def __iter__(self) -> Iterator[Frame]:
        upright = Upright(self._aspect)
        interval = float(1 / self.rate)
        time = -interval
        for index, picture in enumerate(iter(self._next, None)):
            assert isinstance(picture, av.VideoFrame)
            if index == 0:
                self.start = picture.time or 0.0
            expected = time + interval
            time = expected if picture.time is None or picture.time - self.start <= time else picture.time - self.start
            yield Frame(index, time, upright(picture))

    def close(self) -> None:
        """Let go of the file or the camera."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _next(self) -> _Facts | av.VideoFrame | None:
        """What `_read` gives next, None at the end."""
        try:
            return next(self._source, None)
        except (NothingCame, av.error.ExitError) as error:
            # Ours, or FFmpeg's, which ends its thread too.
            raise VideoError(f"{self.name} sent no frame for {self._read_timeout:g} s (read_timeout)") from error

    def _read(self, url: str, arguments: Mapping[str, Any]) -> Generator[_Facts | av.VideoFrame, None, None]:
        """What is known of the video, then its pictures. Everything that FFmpeg does with the source happens here."""
        try:
            container = av.open(url, **arguments)
        except av.error.ExitError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(f"{self.name} cannot be read as a video: {reason(error)}") from error
        with container:
            try:
                stream = _first_video(container)
            except VideoError as error:
                raise VideoError(f"{self.name} {error}") from None
            # Left alone, FFmpeg decodes on one core only where the codec cannot cut its pictures up.
            stream.thread_type = "AUTO"
            yield self._facts(container, stream)
            yield from self._decoded(container, stream)

    def _decoded(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        seen = False
        try:
            for packet in container.demux(stream):
                for picture in self._decode(packet):
                    seen = True
                    yield picture
        except av.error.ExitError:
            raise
        except av.error.FFmpegError as error:
            raise VideoError(f"{self.name} cannot be read on: {reason(error)}") from error
        if not seen:
            raise VideoError(f"{self.name} has no frame that can be decoded")

    def _decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        """The pictures that a packet completes; none for a damaged one, as players have it."""
        try:
            return list(packet.decode())
        except av.error.InvalidDataError:
            self.damaged += 1
            return []

    def _facts(self, container: av.container.InputContainer, stream: av.VideoStream) -> _Facts:
        rate = stream.average_rate or stream.guessed_rate or _UNKNOWN_RATE
        count = stream.frames or None
        if count is None and container.duration is not None and self.path is not None:
            count = max(1, round(container.duration / av.time_base * rate))
        hides_transparency = any(
            name.lower() == "alpha_mode" and value == "1" for name, value in stream.metadata.items()
        )
        return _Facts(rate, count, stream.sample_aspect_ratio, bool(container.streams.audio), hides_transparency)


def open_camera(number: int, *, read_timeout: float | None = READ_TIMEOUT_S) -> VideoReader:
    """Camera `number` of a Linux machine, /dev/video0 and so on, in the size and format that it is set to.

    Raises VideoError if it is not there, is in use, or gives no picture.
    """
    if not sys.platform.startswith("linux"):
        raise VideoError("cameras can be opened on Linux only")
    return VideoReader(f"/dev/video{number}", container="video4linux2", read_timeout=read_timeout)


def _url(source: str | os.PathLike[str], container: str | None) -> str:
    """The source as FFmpeg has it. A file called "a:b.mp4" is not of the protocol "a"."""
    name = os.fspath(source)
    if container is not None:
        return name
    if name == "-":
        return "pipe:0"
    return f"file:{name}" if Path(name).exists() else name


def reason(error: Exception) -> str:
    """What FFmpeg says, in one line and without the path."""
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return str(getattr(error, "strerror", None) or error)


def _first_video(container: av.container.InputContainer) -> av.VideoStream:
    """The first stream of pictures that move: an MP3's cover is one of one picture, and does not count."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                raise VideoError("has a video in a format that FFmpeg cannot decode")
            return stream
    raise VideoError("has no video in it")


class Upright:
    """Makes pictures alike. One that is in order already comes back itself, and costs nothing.

    aspect: width of a pixel to its height; None: unknown. Where pixels are not square, as on DVDs, they become more, so
    that faces have the shape that a detector knows.

    A side of an odd number of pixels loses its last row or column, which 4:2:0 has no place for. A picture of
    another size than the first one's, such as in a recorded stream, is scaled to it. What may be seen through is shown
    on white: 4:2:0 has no transparency, and what lies under it was not meant to be seen.
    """

    def __init__(self, aspect: Fraction | None = None) -> None:
        self._stretch = _stretch(aspect or Fraction(1))
        self._size: tuple[int, int] | None = None
        self._graphs: dict[tuple[object, ...], av.filter.Graph] = {}

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        turn = picture.rotation % 360
        turned = turn in (90, 270)
        width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
        if self._size is None:
            across, down = self._stretch[::-1] if turned else self._stretch
            self._size = max(2, round(width * across) // 2 * 2), max(2, round(height * down) // 2 * 2)
        if turn == 0 and (width, height) == self._size and picture.format.name == FORMAT:
            return picture
        if any(component.is_alpha for component in picture.format.components):
            picture = _on_white(picture)
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


def _stretch(aspect: Fraction) -> tuple[Fraction, Fraction]:
    """By how much pixels of this shape are made wider, and higher, so that they are square. None is lost; and a shape
    that nobody films in is taken for a mistake."""
    if not 1 / _LONGEST_PIXEL <= aspect <= _LONGEST_PIXEL:
        return Fraction(1), Fraction(1)
    return max(aspect, Fraction(1)), max(1 / aspect, Fraction(1))


def _on_white(picture: av.VideoFrame) -> av.VideoFrame:
    rgba = picture.to_ndarray(format="rgba", src_color_range=picture.color_range)
    alpha = rgba[:, :, 3:].astype(np.uint16)
    shown = (rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    result = av.VideoFrame.from_ndarray(shown.astype(np.uint8), format="rgb24")
    result.pts, result.time_base = picture.pts, picture.time_base
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
