"""The sound of a video file, copied as it is beside new pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.error

from face_client.video.reading import VideoReader


class SoundCopy:
    """Copies the packets of an audio stream as far as the pictures have come, so that memory stays bounded.

    start: seconds on the clock of the source that are 0 in the copy.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.audio.stream.AudioStream,
        output: av.container.OutputContainer,
        start: float,
    ) -> None:
        self._container = container
        self._output = output
        self._copy = output.add_stream_from_template(stream)
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
            return


def copy_sound(source: VideoReader, output: av.container.OutputContainer) -> tuple[SoundCopy | None, str | None]:
    """The sound of the file that `source` reads, to go into `output`; and if it cannot, why not.

    To be called once the first frame was read, before the first is written. The file is opened a second time: its
    packets are wanted at the pace of the writer, which is behind the reader.
    """
    if source.path is None:
        return None, None
    container = av.open(f"file:{source.path}")
    if not container.streams.audio:
        container.close()
        return None, None
    stream = container.streams.audio[0]
    try:
        return SoundCopy(container, stream, output, source.start), None
    except ValueError:
        container.close()
        return None, f"{output.format.name} has no place for {stream.codec_context.name}"
