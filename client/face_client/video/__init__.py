"""Faces in videos: found in every frame or in every Nth, numbered, and written into a copy.

    from face_client import FaceClient
    from face_client.video import VideoReader, VideoWriter, detect_video, draw_tracks

    with FaceClient() as client, VideoReader("clip.mp4") as video, VideoWriter("found.mp4", video) as copy:
        for answer in detect_video(client, video, stride=4):
            print(answer.frame.time, answer.tracks, answer.faces.boxes)
            copy.write(draw_tracks(answer))

Needs PyAV and SciPy, the extra `video`.
"""

from __future__ import annotations

try:
    import av
    import scipy.optimize
except ImportError as error:
    raise ImportError('videos need PyAV and SciPy: pip install "triton-faces-client[video]"') from error

from face_client.errors import VideoError
from face_client.video.annotating import draw_tracks
from face_client.video.detecting import detect_video
from face_client.video.frames import Frame, FrameFaces
from face_client.video.reading import VideoReader, open_camera
from face_client.video.summary import Summary
from face_client.video.tracking import Tracker
from face_client.video.writing import VideoWriter

# Imported to see whether they are there.
del av, scipy

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
