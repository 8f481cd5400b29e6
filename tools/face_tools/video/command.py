"""`faces video`: the faces in a video or from a camera, numbered, as JSON lines and drawn into a copy."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from face_client.errors import FaceError, InvalidInput, ServerUnavailable
from face_client.options import PARAMETERS
from face_command import console
from face_command.arguments import number, whole
from face_tools.connection import (
    EXIT_NO_SERVER,
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    add_connection,
    add_parameters,
    no_server,
    parameters_from,
    tls_from,
)
from face_tools.video import FrameFaces, Summary, VideoReader, VideoWriter, draw_tracks
from face_tools.video.frames import CRF, MAX_AGE, MIN_HITS, PRESET, VIDEO_IN_FLIGHT

if TYPE_CHECKING:
    from typing_extensions import Self

    from face_client.client import FaceClient
    from face_tools.video import FrameFaces, Summary, VideoReader, VideoWriter


# Ctrl-C at a moment that suits.


class Interrupts:
    """A context in which Ctrl-C raises KeyboardInterrupt, but not within `held`, and is never lost.

    Python raises it between any two steps, also where nobody can catch it, such as in a destructor, which drops it.
    In the main thread only, as signals are.
    """

    def __init__(self) -> None:
        self._interrupted = False
        self._is_held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """For what must not be left half done: Ctrl-C, also an earlier one that was lost, is raised at the end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._interrupted:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._handler: Any = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._handler)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        if not self._is_held:
            raise KeyboardInterrupt


# Where the faces of a video go: a line of JSON for each frame, a copy with them drawn, and the count of both.


_STDOUT = Path("-")


class Outputs:
    """A frame goes everywhere or nowhere, whenever Ctrl-C comes."""

    def __init__(self, lines: TextIO, copy: VideoWriter | None, summary: Summary, interrupts: Interrupts) -> None:
        self._lines = lines
        self._copy = copy
        self._summary = summary
        self._interrupts = interrupts

    def write(self, answer: FrameFaces) -> None:
        """Append a frame. Raises VideoError or OSError."""
        with self._interrupts.held():
            if self._copy is not None:
                self._copy.write(draw_tracks(answer))
            print(json.dumps(answer.to_dict()), file=self._lines, flush=True)
            self._summary.add(answer)


@contextmanager
def open_outputs(lines: Path, copy: VideoWriter | None, summary: Summary) -> Iterator[Outputs]:
    """The outputs; both files are complete at the end, whatever happens. Raises VideoError or OSError."""
    with Interrupts() as interrupts:
        try:
            if lines == _STDOUT:
                yield Outputs(sys.stdout, copy, summary, interrupts)
                return
            lines.parent.mkdir(parents=True, exist_ok=True)
            with lines.open("w", encoding="utf-8") as file:
                yield Outputs(file, copy, summary, interrupts)
        finally:
            if copy is not None:
                with interrupts.held():
                    copy.close()


def lines_target(json_file: Path | None, out: Path | None, video: VideoReader) -> Path:
    """The file for the JSON lines: the one named, or beside the copy, or "-" for stdout.

    Raises InvalidInput where it is the video itself or the copy.
    """
    target = json_file or (_STDOUT if out is None else out.with_suffix(".jsonl"))
    if target.resolve() in [path.resolve() for path in (video.path, out) if path is not None]:
        raise InvalidInput(f"--json would overwrite {target}; name another file")
    return target


def is_terminal(lines: Path) -> bool:
    """Whether the lines run over a person's screen."""
    return lines == _STDOUT and sys.stdout.isatty()


# The arguments of `faces video`.


# Nobody sees a crop of these faces.
_OF_CROPS = ("image_size", "margin", "align")


def add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("video", nargs="?", metavar="IN", help="a video file, or an address that FFmpeg opens")
    source.add_argument("--camera", type=whole(), metavar="N", help="read camera N instead, /dev/videoN")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write a copy there with the faces drawn: .mp4, .m4v, .mov or .mkv"
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the JSON lines there (beside --out; without it, to stdout)"
    )
    parser.add_argument(
        "--stride", type=whole(1), default=1, metavar="N", help="look for faces in every Nth frame (%(default)s)"
    )
    parser.add_argument("--seconds", type=number(above=0), metavar="S", help="stop after S seconds of video")
    parser.add_argument(
        "--max-side", type=whole(1), metavar="N", help="shrink larger frames to N pixels before sending"
    )
    _add_numbers(parser)
    _add_copy(parser)
    add_connection(parser)
    add_parameters(parser, [name for name in PARAMETERS if name not in _OF_CROPS])
    parser.set_defaults(in_flight=VIDEO_IN_FLIGHT)


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("numbers of faces")
    group.add_argument(
        "--max-age",
        type=whole(),
        default=MAX_AGE,
        metavar="N",
        help="frames that a face may be missing and keep its number (%(default)s)",
    )
    group.add_argument(
        "--min-hits",
        type=whole(1),
        default=MIN_HITS,
        metavar="N",
        help="detections in a row that a face needs before it gets a number (%(default)s)",
    )


def _add_copy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the copy (H.264)")
    group.add_argument(
        "--preset", default=PRESET, metavar="NAME", help="of x264: slower ones make smaller files (%(default)s)"
    )
    group.add_argument(
        "--crf", type=whole(), default=CRF, metavar="N", help="quality, 0 (lossless) to 51 (%(default)s)"
    )


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
    add_video_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Detect, number and write; returns the exit status."""
    # Not at the top: `faces --help` needs neither gRPC nor the extra `video`.
    from face_client.client import FaceClient
    from face_tools.video import VideoReader, open_camera

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
    pass
    from face_tools.video import Summary, VideoWriter

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
    from face_tools.video import Tracker, detect_video

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
