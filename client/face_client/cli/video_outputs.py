"""Where the faces of a video go: a line of JSON for each frame, a copy with them drawn, and the count of both."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from face_client.cli.interrupts import Interrupts
from face_client.errors import InvalidInput
from face_client.video import FrameFaces, Summary, VideoReader, VideoWriter, draw_tracks

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
