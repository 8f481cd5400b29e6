"""Videos with their faces covered: written whole or not at all, with nothing in the file but pictures and sound."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_client.errors import FaceError, ServerUnavailable, VideoError
from face_command import console
from face_command.interrupts import Interrupts
from face_command.outputs import OutputError
from face_pictures.marks import COVERED
from face_tools.batch import Problem, error_document, sentence
from face_tools.blur.carrying import Mask, carried, tracker_for
from face_tools.blur.covering import Style, cover_frame
from face_tools.blur.files import Plan
from face_tools.blur.photos import COLUMNS, NO_FACE, counted
from face_tools.blur.selecting import Selection
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    batch_options,
    check_parameters,
    check_ready,
    check_weights,
    open_client,
)
from face_tools.pictures import Picture
from face_tools.video.frames import SOUND_IS_CUT, VIDEO_IN_FLIGHT, Frame

if TYPE_CHECKING:
    from face_client import FaceClient
    from face_tools.video.reading import VideoReader
    from face_tools.video.writing import VideoWriter


def blur_videos(plan: Plan, args: argparse.Namespace, style: Style, selection: Selection, has_header: bool) -> int:
    """Cover and write one after the other, with a row or lines of JSON; returns the exit status.

    has_header: whether a table was begun. Raises NotReady where the server is not there, or goes.
    """
    with Interrupts(), open_client(args) as client:
        videos = _Videos(client, plan, args, style, selection)
        videos.check()
        if args.json:
            for video in plan.videos:
                videos.blur(video)
        else:
            rows = (row for video in plan.videos if (row := videos.blur(video)) is not None)
            console.print_as_they_come(COLUMNS, rows, header=not has_header)
    return EXIT_SOME_FAILED if videos.has_failures else EXIT_OK


class _Videos:
    """has_failures: whether one was not written, or not all of it."""

    def __init__(
        self, client: FaceClient, plan: Plan, args: argparse.Namespace, style: Style, selection: Selection
    ) -> None:
        self.has_failures = False
        self._client = client
        self._plan = plan
        self._args = args
        self._style = style
        self._selection = selection
        recognizes = selection.needs_embeddings
        self._models = (client.recognizer, client.embedder) if recognizes else (client.model,)

    def check(self) -> None:
        """Raises NotReady, UnfitWeights, and InvalidInput for parameters that the server refuses."""
        check_ready(self._client, *self._models, wait=self._args.wait)
        recognizes = self._selection.needs_embeddings
        if recognizes:
            check_weights(self._client, "blur", self._args.random_weights)
        check_parameters(self._client, self._args, recognize=recognizes)

    def blur(self, video: Picture) -> tuple[str, str, str] | None:
        """Cover and write; returns the table's row, None where it failed, which is told."""
        try:
            covered, seen = self._write(video, self._plan.targets[video])
        except self._selection.fatal:
            raise
        except (BrokenPipeError, console.StdoutError):
            # No fault of the video's.
            raise
        except (FaceError, OSError, OutputError) as error:
            self._fail(video, error)
            if isinstance(error, ServerUnavailable):
                check_ready(self._client, *self._models, wait=self._args.wait)
            return None
        except KeyboardInterrupt:
            console.message(f"{video.path}: interrupted; nothing was written of it")
            raise
        count = f"{counted(covered, seen)} tracks" if seen else NO_FACE
        return str(video.path), str(self._plan.targets[video]), count

    def _fail(self, video: Picture, error: Problem) -> None:
        self.has_failures = True
        console.message(f"{video.path}: {sentence(error)}; nothing was written of it")
        if self._args.json:
            console.line(json.dumps({"video": str(video.path), "error": error_document(error)}))

    def _write(self, video: Picture, target: Path) -> tuple[int, int]:
        """Returns how many tracks were covered, and how many there are. Raises FaceError, OSError, OutputError."""
        # Not at the top: who covers photos has no need of PyAV.
        from face_tools.video import VideoReader, VideoWriter

        args = self._args
        covered: set[int | None] = set()
        seen: set[int | None] = set()
        with VideoReader(video.path) as reader, _part_of(target) as part:
            if reader.hides_transparency:
                raise VideoError("it has transparency that cannot be read, so what lies under it would be visible")
            writer = VideoWriter(
                part,
                reader,
                preset=args.preset,
                crf=args.crf,
                sound=not args.no_sound,
                mark=None if args.no_mark else COVERED,
            )
            # A line of JSON may be longer than the terminal, which a bar below it would cut.
            bar_fits = not sys.stdout.isatty() or (console.HAS_RICH and not args.json)
            frames = console.tracked(
                self._frames(reader), total=reader.count, bar_fits=bar_fits, what=video.path.name, rate=" FPS"
            )
            with closing(frames), writer:
                for frame, masks in frames:
                    cover_frame(frame, [mask.box for mask in masks if mask.covers], self._style)
                    writer.write(frame)
                    covered.update(mask.track for mask in masks if mask.covers)
                    seen.update(mask.track for mask in masks)
                    if args.json:
                        console.line(json.dumps(self._line(video, frame, masks)))
            self._tell(video, reader, writer)
        return len(covered), len(seen)

    def _frames(self, reader: VideoReader) -> Iterator[tuple[Frame, list[Mask]]]:
        from face_tools.video import detect_video

        args = self._args
        tracker = tracker_for(args.hold, reader.rate)
        answers = detect_video(
            self._client,
            reader,
            stride=args.stride,
            tracker=tracker,
            recognize=self._selection.needs_embeddings,
            crops=self._selection.needs_embeddings,
            **{**batch_options(args), "in_flight": min(args.in_flight, VIDEO_IN_FLIGHT)},
        )
        return carried(answers, self._selection, hold=args.hold, stride=args.stride, max_age=tracker.max_age)

    def _line(self, video: Picture, frame: Frame, masks: list[Mask]) -> dict[str, Any]:
        return {
            "video": str(video.path),
            "written": str(self._plan.targets[video]),
            "frame": frame.index,
            "time": round(frame.time, 6),
            "width": frame.picture.width,
            "height": frame.picture.height,
            **self._style._asdict(),
            "faces": [mask.to_dict() for mask in masks],
        }

    def _tell(self, video: Picture, reader: VideoReader, writer: VideoWriter) -> None:
        """What of the video is not in the copy."""
        if writer.sound_dropped:
            console.message(f"{video.path}: the copy has no sound: {writer.sound_dropped}")
        if reader.damaged:
            console.message(f"{video.path}: {reader.damaged} damaged packets were left out")
        if writer.sound_is_cut:
            console.message(f"{video.path}: {SOUND_IS_CUT}")
        if reader.damaged or writer.sound_is_cut:
            self.has_failures = True


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """A file beside the target, which it becomes at the end, and which is gone where that is not reached. Errors name
    the target."""
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".faces-{os.getpid()}.part{target.suffix}")
    try:
        yield part
        part.replace(target)
    except VideoError as error:
        raise VideoError(str(error).replace(str(part), str(target))) from error
    finally:
        part.unlink(missing_ok=True)
