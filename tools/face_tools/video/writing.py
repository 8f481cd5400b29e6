"""Frames → a video file: H.264, with the sound of the file that they came from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from face_client.errors import InvalidInput, VideoError
from face_pictures.marks import PROGRAM
from face_tools.video.frames import CRF, MAX_CRF, PRESET, PRESETS, Frame
from face_tools.video.reading import FORMAT, VideoReader, reason

if TYPE_CHECKING:
    from typing_extensions import Self

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
# What MPEG counts time in: every usual frame rate comes to a whole number, or within 6 µs of it.
_TIME_BASE = Fraction(1, 90_000)


DRAWN = "video"
"""The mark of a copy with the faces drawn."""


class VideoWriter:
    """A copy of a video, with the times of its frames; sizes and colours are the frames' own.

    path: its suffix, one of SUFFIXES, says which container. The file is made at the first frame.
    source: where the frames come from: its rate and its sound.
    preset: x264's trade of time against size, "ultrafast" to "veryslow". crf: its quality, 0 (lossless) to 51.
    sound: whether the source's is copied. mark: what the file says that it is, for `is_copy`; None: nothing.
    sound_dropped: why the sound is not copied, once the first frame was written; None if it is, or if there is none.
    sound_is_cut: whether the sound ends before the pictures do, since it is damaged there; known once it is closed.

    Raises InvalidInput for a preset or a crf that x264 does not have, VideoError where the file cannot be written.
    Closing completes it, whatever was written so far.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        source: VideoReader,
        *,
        preset: str = PRESET,
        crf: int = CRF,
        sound: bool = True,
        mark: str | None = DRAWN,
    ) -> None:
        if preset not in PRESETS:
            raise InvalidInput(f"preset is {preset!r}; it must be one of {', '.join(PRESETS)}")
        if not 0 <= crf <= MAX_CRF:
            raise InvalidInput(f"crf is {crf}; it must be from 0 to {MAX_CRF}")
        self.path = Path(path)
        self.sound_dropped: str | None = None
        self.sound_is_cut = False
        self._source = source
        # Captions travel inside of frames, and x264 would write them; they are no picture.
        self._options = {"preset": preset, "crf": str(crf), "a53cc": "0"}
        self._mark = mark
        self._wants_sound = sound
        self._container: av.container.OutputContainer | None = None
        self._sound: SoundCopy | None = None
        self._last_pts = -1
        self._closed = False
        check_target(self.path, source)

    def write(self, frame: Frame) -> None:
        """Append a frame. All frames have one size; one that is not later than its predecessor is moved on."""
        if self._closed:
            raise ValueError(f"{self.path} is closed")
        picture = frame.picture
        try:
            container = self._container or self._open(picture)
            self._last_pts = max(self._last_pts + 1, round(frame.time / _TIME_BASE))
            picture.pts, picture.time_base = self._last_pts, _TIME_BASE
            # The decoder's word on how this picture was coded; left there, the encoder would obey it.
            picture.pict_type = 0
            container.mux(self._stream.encode(picture))
            if self._sound is not None:
                self._sound.copy_until(frame.time)
        except (av.error.FFmpegError, OSError) as error:
            self._let_go()
            raise self._failure(error) from error

    def close(self) -> None:
        """Complete the file. Does nothing the second time, if nothing was written, or after a failure."""
        try:
            if self._container is not None:
                self._container.mux(self._stream.encode(None))
                self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _open(self, picture: av.VideoFrame) -> av.container.OutputContainer:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = container = av.open(f"file:{self.path}", "w")
        if self._mark is not None:
            container.metadata["comment"] = f"{PROGRAM} {self._mark}"
        self._stream = container.add_stream("libx264", rate=self._source.rate, options=self._options)
        self._stream.width, self._stream.height = picture.width, picture.height
        self._stream.pix_fmt = FORMAT
        context = self._stream.codec_context
        context.time_base = _TIME_BASE
        context.colorspace, context.color_range = picture.colorspace, picture.color_range
        if self._wants_sound:
            self._sound, self.sound_dropped = copy_sound(self._source, container)
        # Here, because muxing after this has failed crashes.
        container.start_encoding()
        return container

    def _let_go(self) -> None:
        """Close both files as they are."""
        self._closed = True
        container, self._container = self._container, None
        sound, self._sound = self._sound, None
        if sound is not None:
            self.sound_is_cut = sound.is_cut
            sound.close()
        if container is not None:
            with suppress(av.error.FFmpegError, OSError):
                container.close()

    def _failure(self, error: Exception) -> VideoError:
        return VideoError(f"{self.path} cannot be written: {reason(error)}")


def check_target(path: Path, source: VideoReader) -> None:
    """Raise VideoError for a path that no video can be written to, or that is the source itself."""
    if path.suffix.lower() not in SUFFIXES:
        raise VideoError(f"{path} cannot be written: its name must end in {', '.join(SUFFIXES)}")
    if source.path is not None and path.exists() and path.samefile(source.path):
        raise VideoError(f"{path} is the video that is read; write to another file")


def is_copy(path: Path, mark: str = DRAWN) -> bool:
    """Whether a file is a copy that was written here with that mark, by the comment in it."""
    try:
        with av.open(f"file:{path}") as container:
            return any(
                name.lower() == "comment" and value == f"{PROGRAM} {mark}" for name, value in container.metadata.items()
            )
    except (av.error.FFmpegError, OSError):
        return False


def copy_sound(source: VideoReader, output: av.container.OutputContainer) -> tuple[SoundCopy | None, str | None]:
    """The sound of the file that `source` reads, to go into `output`; and if it cannot, why not.

    To be called once the first frame was read, before the first is written. The file is opened a second time: its
    packets are wanted at the pace of the writer, which is behind the reader.
    """
    if not source.has_sound:
        return None, None
    if source.path is None:
        return None, "it is copied from files only"
    container = av.open(f"file:{source.path}")
    stream = container.streams.audio[0]
    try:
        return SoundCopy(container, stream, output, source.start), None
    except ValueError:
        container.close()
        return None, f"{output.format.name} has no place for {stream.codec_context.name}"


class SoundCopy:
    """Copies the packets of an audio stream as far as the pictures have come, so that memory stays bounded.

    start: seconds on the clock of the source that are 0 in the copy. is_cut: whether it could not be read to the end.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.audio.stream.AudioStream,
        output: av.container.OutputContainer,
        start: float,
    ) -> None:
        self.is_cut = False
        self._container = container
        self._output = output
        headers = stream.codec_context.extradata if stream.codec_context.name == "vorbis" else None
        if headers is not None:
            headers = vorbis_without_comments(headers)
        self._copy = output.add_stream_from_template(stream)
        if headers is not None:
            self._copy.codec_context.extradata = headers
        self._time_base = stream.time_base or Fraction(1, av.time_base)
        self._shift = round(start / self._time_base)
        self._packets = self._shifted(stream)
        self._next = next(self._packets, None)

    def copy_until(self, seconds: float) -> None:
        """Copy what is heard up to this time of the copy."""
        while self._next is not None and (self._next.dts or 0) * self._time_base <= seconds:
            self._next.stream = self._copy
            self._output.mux(self._next)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Let go of the source."""
        self._container.close()

    def _shifted(self, stream: av.audio.stream.AudioStream) -> Iterator[av.Packet]:
        """The packets on the clock of the copy; what is damaged beyond reading ends them."""
        try:
            for packet in self._container.demux(stream):
                # FFmpeg's end of a stream is a packet without a time.
                if packet.dts is None or packet.pts is None:
                    continue
                packet.dts -= self._shift
                packet.pts -= self._shift
                yield packet
        except av.error.InvalidDataError:
            self.is_cut = True


def vorbis_without_comments(headers: bytes) -> bytes:
    """The headers of a Vorbis stream, of which the second holds title, artist and whatever else, with that one empty.

    headers: as FFmpeg has them: 2, the lengths of the first two as sums of bytes that end with one below 255, then all
    three. Raises ValueError where they are not.
    """
    lengths, at = [0, 0], 1
    for number in range(2):
        while headers[at : at + 1] == b"\xff":
            lengths[number] += 255
            at += 1
        lengths[number] += headers[at] if at < len(headers) else 0
        at += 1
    first, rest = headers[at : at + lengths[0]], headers[at + sum(lengths) :]
    if headers[:1] != b"\2" or not first.startswith(b"\1vorbis") or not rest.startswith(b"\5vorbis"):
        raise ValueError("not the headers of a Vorbis stream")
    # Kind and name, no vendor, no comments, the end.
    empty = b"\3vorbis" + bytes(8) + b"\1"
    return bytes([2, len(first), len(empty)]) + first + empty + rest
