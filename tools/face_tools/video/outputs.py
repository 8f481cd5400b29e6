"""Where the faces of a video go: a line of JSON for each frame, a copy with them drawn, and the count of both.

A frame goes everywhere or nowhere, whenever Ctrl-C comes.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from face_client.errors import InvalidInput
from face_tools.video.annotating import draw_tracks
from face_tools.video.frames import FrameFaces, Summary
from face_tools.video.reading import VideoReader
from face_tools.video.writing import VideoWriter

if TYPE_CHECKING:
    from typing_extensions import Self

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
            if self._copy is not None:
                self._copy.write(draw_tracks(answer))
            print(json.dumps(answer.to_dict()), file=self._lines, flush=True)
            self._summary.add(answer)


@contextmanager
def open_outputs(lines: Path, copy: VideoWriter | None, summary: Summary) -> Iterator[Outputs]:
    """The outputs; both files are complete at the end, whatever happens. Raises VideoError or OSError."""
    with Interrupts() as interrupts:
        try:
            if lines == STDOUT:
                yield Outputs(sys.stdout, copy, summary, interrupts)
                return
            lines.parent.mkdir(parents=True, exist_ok=True)
            with lines.open("w", encoding="utf-8") as file:
                yield Outputs(file, copy, summary, interrupts)
        finally:
            if copy is not None:
                with interrupts.held():
                    copy.close()


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
