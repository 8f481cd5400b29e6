"""Where the faces of a video go: a line of JSON for each frame, a copy with them drawn, and the count of both.

A frame goes everywhere or nowhere, whenever a signal comes.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from face_client.errors import InvalidInput
from face_command import outputs
from face_command.console import line
from face_command.interrupts import Interrupts
from face_tools.video.annotating import draw_tracks
from face_tools.video.frames import FrameFaces, Summary
from face_tools.video.reading import VideoReader
from face_tools.video.writing import VideoWriter, is_copy

STDOUT = Path("-")
"""The lines' target where there is no file for them."""


def lines_target(json_file: Path | None, out: Path | None, video: VideoReader) -> Path:
    """The file for the JSON lines: the one named, or beside the copy, or "-" for stdout.

    Raises InvalidInput where it is the video itself or the copy.
    """
    target = json_file or (STDOUT if out is None else out.with_suffix(".jsonl"))
    if target.resolve() in [path.resolve() for path in (video.path, out) if path is not None]:
        raise InvalidInput(f"--json would overwrite {target}; name another file")
    return target


def check_outputs(lines: Path, out: Path | None, video: VideoReader, force: bool) -> None:
    """Raises OutputRefused where a file that is there would be lost, or one cannot be written."""
    reads = outputs.identities([] if video.path is None else [video.path])
    if out is not None:
        outputs.check_file("--out", out, reads=reads, is_ours=is_copy, force=force)
    if lines != STDOUT:
        outputs.check_file("--json", lines, reads=reads, is_ours=_is_lines, force=force)


def _is_lines(path: Path) -> bool:
    """Whether a file begins as the lines of a video do."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= {"frame", "time", "detected", "faces"}


class Outputs:
    """Takes frame by frame."""

    def __init__(self, lines: TextIO, copy: VideoWriter | None, summary: Summary, interrupts: Interrupts) -> None:
        self._lines = lines
        self._copy = copy
        self._summary = summary
        self._interrupts = interrupts

    def write(self, answer: FrameFaces) -> None:
        """Append a frame. Raises VideoError or OSError."""
        with self._interrupts.held():
            if not self._summary.frames:
                _empty(self._lines)
            if self._copy is not None:
                self._copy.write(draw_tracks(answer))
            text = json.dumps(answer.to_dict())
            if self._lines is sys.stdout:
                line(text)
            else:
                print(text, file=self._lines, flush=True)
            self._summary.add(answer)


@contextmanager
def open_outputs(lines: Path, copy: VideoWriter | None, summary: Summary) -> Iterator[Outputs]:
    """The outputs; both files are complete at the end, whatever happens. Raises VideoError or OSError.

    Earlier files of these names stay as they are until there is a first frame.
    """
    with Interrupts() as interrupts:
        is_new = False
        try:
            if lines == STDOUT:
                yield Outputs(sys.stdout, copy, summary, interrupts)
                return
            lines.parent.mkdir(parents=True, exist_ok=True)
            is_new = not lines.exists()
            # Opened before the work: what cannot be written is told at once.
            with lines.open("a", encoding="utf-8") as file:
                yield Outputs(file, copy, summary, interrupts)
        finally:
            if is_new and not summary.frames:
                lines.unlink()
            if copy is not None:
                with interrupts.held():
                    copy.close()


def _empty(file: TextIO) -> None:
    """Drop what an earlier run wrote. A pipe or a device holds nothing."""
    if file is not sys.stdout and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.truncate(0)
