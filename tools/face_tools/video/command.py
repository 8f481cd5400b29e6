"""`faces video`: the faces in a video or from a camera, numbered, as JSON lines and drawn into a copy."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from face_client.errors import ServerUnavailable
from face_client.options import PARAMETERS
from face_command import console, outputs
from face_command.arguments import number, whole
from face_tools import need_extra
from face_tools.choosing import add_people, check_gallery_given, listed, register_of_gallery
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    add_asking,
    batch_options,
    check_ready,
    check_weights,
    in_one_line,
    open_client,
)
from face_tools.pictures import capped
from face_tools.video.frames import (
    LOOK_EVERY,
    MAX_AGE,
    MIN_HITS,
    READ_TIMEOUT_S,
    SOUND_IS_CUT,
    VIDEO_IN_FLIGHT,
    VOTES,
    FrameFaces,
    Summary,
)
from face_tools.video.options import add_encoding, add_stride

if TYPE_CHECKING:
    from face_client import FaceClient
    from face_tools.video.naming import Namer
    from face_tools.video.reading import VideoReader
    from face_tools.video.writing import VideoWriter

HELP = "find and follow the faces in a video or from a camera"

# Nobody sees a crop of these faces but FaceNet.
_OF_CROPS = ("image_size",)

_EPILOG = """\
examples:
  faces video clip.mp4 --out found.mp4               a copy with numbered faces, and found.jsonl
  faces video clip.mp4 --out found.mp4 --stride 4    look at every 4th frame: about three times as fast
  faces video clip.mp4 > faces.jsonl                 JSON lines only, one a frame
  faces video --camera 0 --out seen.mp4 --seconds 60
  faces video clip.mp4 --out named.mp4 --gallery people.gallery

A face keeps its number from frame to frame. In the frames that are skipped, its box is on its way from the last
detected frame to the next; from a camera, it stays where it was. Ctrl-C and SIGTERM complete the files.
Files of an earlier run are replaced, and no others.
With --gallery some faces of each track are looked up and vote; it has a name from the frame on in which one person has
enough votes.

exit status: 0 every frame was answered, 1 something failed on the way, 2 wrong
usage, 3 no server, 130 after Ctrl-C, 143 after SIGTERM
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces video`."""
    parser.epilog = _EPILOG
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("video", nargs="?", metavar="IN", help="a file, an address that FFmpeg opens, or -: stdin")
    source.add_argument("--camera", type=whole(), metavar="N", help="read camera N instead, /dev/videoN")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write a copy there with the faces drawn: .mp4, .m4v, .mov or .mkv"
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the JSON lines there (beside --out; without it, to stdout)"
    )
    add_stride(parser)
    parser.add_argument("--seconds", type=number(above=0), metavar="S", help="stop after S seconds of video")
    parser.add_argument(
        "--read-timeout",
        type=number(0),
        default=READ_TIMEOUT_S,
        metavar="S",
        help="end when no frame has come for S seconds (%(default)g; 0: wait for ever)",
    )
    outputs.add_force(parser)
    _add_numbers(parser)
    _add_names(parser)
    _add_copy(parser)
    add_asking(parser, [name for name in PARAMETERS if name not in _OF_CROPS], what="frames")
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


def _add_names(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("names of faces")
    group.add_argument(
        "--gallery", metavar="WHERE", help="say who they are: a file of faces gallery, or postgresql://HOST/DATABASE"
    )
    group.add_argument(
        "--look-every",
        type=whole(1),
        default=LOOK_EVERY,
        metavar="N",
        help="look up a face again N detected frames later (%(default)s)",
    )
    group.add_argument(
        "--votes",
        type=whole(1),
        default=VOTES,
        metavar="N",
        help="looks that must agree on a person before it is told, and more than half of all (%(default)s)",
    )
    add_people(group)


def _add_copy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the copy (H.264)")
    add_encoding(group)


def run(args: argparse.Namespace) -> int:
    """Detect, number and write; returns the exit status."""
    need_extra("video")
    if args.gallery is not None:
        need_extra("gallery")
    return in_one_line("video", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    check_gallery_given(args)
    # Not at the top: `faces --help` needs neither gRPC nor the extra `video`.
    from face_tools.video import VideoReader, VideoWriter, open_camera
    from face_tools.video.outputs import STDOUT, check_outputs, lines_target, open_outputs

    limit = args.read_timeout or None
    video = (
        VideoReader(args.video, read_timeout=limit)
        if args.camera is None
        else open_camera(args.camera, read_timeout=limit)
    )
    with video, open_client(args) as client, ExitStack() as stack:
        lines = lines_target(args.json, args.out, video)
        copy = None if args.out is None else VideoWriter(args.out, video, preset=args.preset, crf=args.crf)
        check_outputs(lines, args.out, video, args.force)
        check_ready(client, client.model, wait=args.wait)
        namer = _namer(client, args, stack)
        summary = Summary()
        progress = console.tracked(
            _answers(client, video, args, namer),
            total=_total(video, args.seconds),
            bar_fits=not (lines == STDOUT and sys.stdout.isatty()),
            what="frames",
            rate=" FPS",
        )
        try:
            with open_outputs(lines, copy, summary) as files, closing(progress):
                for answer in progress:
                    files.write(answer)
        finally:
            if summary.frames:
                _tell(summary, video, copy)
                if namer is not None:
                    _tell_names(namer)
        unnamed = namer.failures if namer is not None else 0
        is_cut = copy is not None and copy.sound_is_cut
        return EXIT_SOME_FAILED if summary.refused or video.damaged or unnamed or is_cut else EXIT_OK


def _namer(client: FaceClient, args: argparse.Namespace, stack: ExitStack) -> Namer | None:
    """With --gallery. The gallery is closed with the stack. Raises GalleryError, UnfitWeights, NotReady."""
    if args.gallery is None:
        return None
    # Not at the top: without --gallery no gallery is needed.
    from face_tools.video.naming import Namer

    where = listed(args.where)
    check_ready(client, client.embedder, wait=args.wait)
    check_weights(client, "video", args.random_weights)
    return Namer(
        client,
        stack.enter_context(register_of_gallery(args)),
        every=args.look_every,
        votes=args.votes,
        threshold=args.threshold,
        collections=args.collections,
        where=where,
    )


def _answers(
    client: FaceClient, video: VideoReader, args: argparse.Namespace, namer: Namer | None
) -> Iterator[FrameFaces]:
    """The faces of each frame that is wanted. Raises where it is no use to go on: the server is gone, or refuses the
    very first frame."""
    from face_tools.video import Tracker, detect_video

    answers = detect_video(
        client,
        video if args.seconds is None else takewhile(lambda frame: frame.time < args.seconds, video),
        stride=args.stride,
        carry="interpolate" if args.camera is None else "hold",
        tracker=Tracker(max_age=args.max_age, min_hits=args.min_hits),
        crops=namer is not None,
        **batch_options(args),
    )
    if namer is not None:
        answers = namer.name(answers)
    for answer in answers:
        if answer.error is not None:
            if isinstance(answer.error, ServerUnavailable):
                check_ready(client, client.model)
            if answer.frame.index == 0:
                raise answer.error
            console.message(f"frame {answer.frame.index}: {answer.error}")
        if namer is not None and namer.error is not None:
            if isinstance(namer.error, ServerUnavailable):
                check_ready(client, client.embedder)
            console.message(f"frame {answer.frame.index}: no face was looked up: {namer.error}")
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
    if copy is not None and copy.sound_is_cut:
        console.message(SOUND_IS_CUT)
    if video.damaged:
        console.message(f"{video.damaged} damaged packets were left out")
    if summary.candidates_dropped:
        console.message(capped(summary.candidates_dropped))


def _tell_names(namer: Namer) -> None:
    """Of all tracks that were long enough, and good enough, to be looked at."""
    named = namer.named()
    for track, name in named.items():
        if name is not None:
            console.message(f"#{track}: {name.person}, {name.votes} of {name.looks} looks")
    unknown = sum(name is None for name in named.values())
    if unknown:
        console.message(f"{unknown} of {len(named)} tracks are unknown")
