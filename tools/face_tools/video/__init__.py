"""Faces in videos: found in every frame or in every Nth, numbered, and written into a copy.

    from face_client import FaceClient
    from face_tools.video import VideoReader, VideoWriter, detect_video, draw_tracks

    with FaceClient() as client, VideoReader("clip.mp4") as video, VideoWriter("found.mp4", video) as copy:
        for answer in detect_video(client, video, stride=4):
            print(answer.frame.time, answer.tracks, answer.faces.boxes)
            copy.write(draw_tracks(answer))

Needs PyAV and SciPy, the extra `video`. Names are imported when first used: `faces video --help` needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from face_tools import need_extra

if TYPE_CHECKING:
    from face_client.errors import VideoError
    from face_tools.video.annotating import draw_tracks
    from face_tools.video.detecting import detect_video
    from face_tools.video.frames import Frame, FrameFaces, Summary
    from face_tools.video.reading import VideoReader, open_camera
    from face_tools.video.tracking import Tracker
    from face_tools.video.writing import VideoWriter

_HOMES = {
    "Frame": "frames",
    "FrameFaces": "frames",
    "Summary": "frames",
    "Tracker": "tracking",
    "VideoError": "reading",
    "VideoReader": "reading",
    "VideoWriter": "writing",
    "detect_video": "detecting",
    "draw_tracks": "annotating",
    "open_camera": "reading",
}

__all__ = [
    "Frame",
    "FrameFaces",
    "Summary",
    "Tracker",
    "VideoError",
    "VideoReader",
    "VideoWriter",
    "detect_video",
    "draw_tracks",
    "open_camera",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError:
        need_extra("video")
        raise


def __dir__() -> list[str]:
    return __all__
