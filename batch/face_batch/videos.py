"""Frames of videos that lie in a source."""

import tempfile
from collections.abc import Iterator

from face_tools.video import VideoReader
from face_tools.video.frames import Frame


def frames(data: bytes, every: int, path: str) -> Iterator[Frame]:
    """Every so manieth frame of a video's file, from the first on; path: what an error calls it.

    Raises VideoError where it is none, or cannot be read on; frames before that were given.
    """
    # FFmpeg seeks, in files whose index stands at their end; and its own protocols do not read every store.
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        # A file does not keep anybody waiting: a busy machine may.
        with VideoReader(file.name, read_timeout=None, name=path) as video:
            for frame in video:
                if frame.index % every == 0:
                    yield frame
