"""`faces video`: the faces in a video or from a camera, numbered, as JSON lines and drawn into a copy."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import closing
from itertools import takewhile
from typing import TYPE_CHECKING

from face_client.cli import console, video_arguments
from face_client.cli.arguments import parameters_from, tls_from
from face_client.cli.status import EXIT_NO_SERVER, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, no_server
from face_client.errors import FaceError, InvalidInput, ServerUnavailable

if TYPE_CHECKING:
    from face_client.client import FaceClient
    from face_client.video import FrameFaces, Summary, VideoReader, VideoWriter

HELP = "find and follow the faces in a video or from a camera"

_EPILOG = """\
examples:
  faces video clip.mp4 --out found.mp4               a copy with numbered faces, and found.jsonl
  faces video clip.mp4 --out found.mp4 --stride 4    look at every 4th frame: about three times as fast
  faces video clip.mp4 > faces.jsonl                 JSON lines only, one a frame
  faces video --camera 0 --out seen.mp4 --seconds 60

A face keeps its number from frame to frame. In the frames that are skipped, its box is on its way from the last
detected frame to the next; from a camera, it stays where it was. Ctrl-C completes the files.

exit status: 0 every frame was answered, 1 something failed on the way, 2 wrong usage, 3 no server,
130 after Ctrl-C
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces video`."""
    parser.epilog = _EPILOG
    video_arguments.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Detect, number and write; returns the exit status."""
    # Not at the top: `faces --help` needs neither gRPC nor the extra `video`.
    from face_client.client import FaceClient
    from face_client.video import VideoReader, open_camera

    try:
        video = VideoReader(args.video) if args.camera is None else open_camera(args.camera)
        with video, FaceClient(args.url, timeout=args.timeout, tls=tls_from(args)) as client:
            return _run(client, video, args)
    except ServerUnavailable:
        console.message(no_server("video", client.model, args.url))
        return EXIT_NO_SERVER
    except BrokenPipeError:
        raise
    except (FaceError, OSError) as error:
        console.message(f"faces video: {error}")
        return EXIT_USAGE if isinstance(error, InvalidInput) else EXIT_SOME_FAILED


def _run(client: FaceClient, video: VideoReader, args: argparse.Namespace) -> int:
    from face_client.cli.video_outputs import is_terminal, lines_target, open_outputs
    from face_client.video import Summary, VideoWriter

    lines = lines_target(args.json, args.out, video)
    copy = None if args.out is None else VideoWriter(args.out, video, preset=args.preset, crf=args.crf)
    if not client.is_ready():
        raise ServerUnavailable("not ready")
    summary = Summary()
    progress = console.tracked(
        _answers(client, video, args),
        total=_total(video, args.seconds),
        bar_fits=not is_terminal(lines),
        what="frames",
        rate=" FPS",
    )
    try:
        with open_outputs(lines, copy, summary) as outputs, closing(progress):
            for answer in progress:
                outputs.write(answer)
    finally:
        if summary.frames:
            _tell(summary, video, copy)
    return EXIT_SOME_FAILED if summary.refused or video.damaged else EXIT_OK


def _answers(client: FaceClient, video: VideoReader, args: argparse.Namespace) -> Iterator[FrameFaces]:
    """The faces of each frame that is wanted. Raises where it is no use to go on: the server is gone, or refuses the
    very first frame."""
    from face_client.video import Tracker, detect_video

    answers = detect_video(
        client,
        video if args.seconds is None else takewhile(lambda frame: frame.time < args.seconds, video),
        stride=args.stride,
        carry="interpolate" if args.camera is None else "hold",
        tracker=Tracker(max_age=args.max_age, min_hits=args.min_hits),
        in_flight=args.in_flight,
        max_side=args.max_side,
        **parameters_from(args),
    )
    for answer in answers:
        if answer.error is not None:
            if answer.frame.index == 0 or (isinstance(answer.error, ServerUnavailable) and not client.is_ready()):
                raise answer.error
            console.message(f"frame {answer.frame.index}: {answer.error}")
        yield answer


def _total(video: VideoReader, seconds: float | None) -> int | None:
    """Frames to come, as far as the video tells."""
    if video.count is None or seconds is None:
        return video.count
    return min(video.count, math.ceil(seconds * video.rate))


def _tell(summary: Summary, video: VideoReader, copy: VideoWriter | None) -> None:
    console.message(str(summary))
    if copy is not None and copy.sound_dropped:
        console.message(f"the copy has no sound: {copy.sound_dropped}")
    if video.damaged:
        console.message(f"{video.damaged} damaged packets were left out")
    if summary.candidates_dropped:
        console.message(
            f"the server dropped {summary.candidates_dropped} candidates at its limit; "
            "faces may be missing, a larger --min-face-size leaves fewer"
        )
