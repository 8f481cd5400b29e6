"""What the verbs share that ask about many pictures: answers one by one, as a table, as JSON lines and as copies with
the faces drawn; what fails on the way; and how a run goes on that ended early."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Union

from face_client.errors import FaceError, ServerUnavailable, reason
from face_client.faces import Faces
from face_command import console, outputs
from face_command.interrupts import Interrupts
from face_command.outputs import OutputError
from face_tools import pictures
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    NotReady,
    add_asking,
    batch_options,
    check_parameters,
    check_ready,
    check_weights,
    in_one_line,
    open_client,
)
from face_tools.pictures import Picture, capped, content
from face_tools.resuming import answered, check_stdout

if TYPE_CHECKING:
    from face_client import FaceClient
    from face_client.faces import BatchAnswer
    from face_client.images import ImageLike

_COLUMNS = (
    console.Column("image"),
    console.Column("faces", 5),
    console.Column("box", 27),
    console.Column("probability", 11),
)

Problem = Union[FaceError, OSError, OutputError]
Answers = Iterator[tuple[Picture, "BatchAnswer"]]
Read = Callable[[Picture], "ImageLike"]
Check = Callable[[Sequence[Picture]], None]
Take = Callable[[Picture, Faces], None]
Show = Callable[[Answers], None]
Finish = Callable[[], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a verb that prints faces."""
    pictures.add_paths(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, instead of the table")
    parser.add_argument("--save", metavar="DIR", type=Path, help="write copies there with the faces drawn")
    parser.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="pass over the pictures that have an answer in these JSON lines of an earlier run",
    )
    outputs.add_force(parser)
    add_asking(parser)


def run(
    verb: str,
    args: argparse.Namespace,
    *,
    recognize: bool = False,
    crops: bool = False,
    found: Sequence[Picture] | None = None,
    read: Read = content,
    check: Check | None = None,
    take: Take | None = None,
    show: Show | None = None,
    finish: Finish | None = None,
) -> int:
    """Ask about the pictures in `args`, and print; returns the exit status.

    recognize: with embeddings. crops: with a picture of each face.
    found: the pictures, instead of those in `args`. read: what the client is given of each.
    check: is shown the pictures before anything is asked; raises OutputRefused or InvalidInput.
    take: is shown the faces of each picture; an OutputError that it raises is told, and the next picture comes.
    show: prints all answers; by default as a table or JSON lines.
    finish: does what is left at the end with what was taken until then, also after Ctrl-C, which waits for it, or when
        the server is gone; returns the exit status of its own part.
    """
    show = show or (lambda answers: _show(answers, args))
    batch = _Batch(verb, args, recognize, crops, found, read, check, take, show)
    status = EXIT_SOME_FAILED
    with Interrupts() as interrupts:
        try:
            status = in_one_line(verb, batch.run)
        finally:
            if finish is not None and batch.has_begun:
                with interrupts.held():
                    # The graver one: what a missing server ended can be tried again.
                    status = max(status, in_one_line(verb, finish))
    return status


class _Batch:
    """has_begun: whether the server was asked."""

    def __init__(
        self,
        verb: str,
        args: argparse.Namespace,
        recognize: bool,
        crops: bool,
        found: Sequence[Picture] | None,
        read: Read,
        check: Check | None,
        take: Take | None,
        show: Show,
    ) -> None:
        self.has_begun = False
        self._verb = verb
        self._args = args
        self._recognize = recognize
        self._crops = crops
        self._found = found
        self._read = read
        self._check = check
        self._take = take
        self._show = show
        self._has_failures = False
        self._done = 0
        self._copies: dict[Picture, Path] = {}

    def run(self) -> int:
        """Raises FaceError or OutputError where the whole of it fails."""
        found = pictures.find(self._args.paths) if self._found is None else self._found
        save, resume = getattr(self._args, "save", None), getattr(self._args, "resume", None)
        if save is not None:
            self._copies = pictures.plan_copies(found, save, self._args.force)
        if self._check is not None:
            self._check(found)
        if resume is not None:
            check_stdout(resume)
            known = answered(resume)
            left = [picture for picture in found if str(picture.path) not in known]
            console.message(f"{len(found) - len(left)} of {len(found)} pictures are in {resume} already")
            found = left
        return self._ask_about(found) if found else EXIT_OK

    def _ask_about(self, found: Sequence[Picture]) -> int:
        with open_client(self._args) as client:
            models = (client.recognizer, client.embedder) if self._recognize else (client.model,)
            check_ready(client, *models, wait=self._args.wait)
            if self._recognize:
                # Embeddings have other uses than to tell people apart: a verb that does that has the option.
                check_weights(client, self._verb, getattr(self._args, "random_weights", True))
            check_parameters(client, self._args, recognize=self._recognize, crops=self._crops)
            self.has_begun = True
            # A line of JSON may be longer than the terminal, which a bar below it would cut.
            shows_json = getattr(self._args, "json", False)
            bar_fits = not sys.stdout.isatty() or (console.HAS_RICH and not shows_json)
            answers = console.tracked(self._answers(client, models, found), total=len(found), bar_fits=bar_fits)
            try:
                self._show(answers)
            except (KeyboardInterrupt, NotReady) as error:
                why = "interrupted" if isinstance(error, KeyboardInterrupt) else "the server has gone; see --wait"
                console.message(f"{why}: {self._done} of {len(found)} pictures were answered")
                raise
        return EXIT_SOME_FAILED if self._has_failures else EXIT_OK

    def _answers(self, client: FaceClient, models: Iterable[str], found: Sequence[Picture]) -> Answers:
        """The answer for each picture, taken and saved; what fails goes to stderr too. Raises NotReady where the server
        has gone away."""
        ask = client.recognize_each if self._recognize else client.detect_each
        options = batch_options(self._args)
        for picture, first in zip(found, ask(map(self._read, found), crops=self._crops, **options)):
            answer: BatchAnswer = first
            if isinstance(first, ServerUnavailable):
                check_ready(client, *models, wait=self._args.wait)
                if self._args.wait:
                    # It was away for longer than the retries last, and is back.
                    (answer,) = ask([self._read(picture)], crops=self._crops, **options)
            problem = self._keep(picture, answer) if isinstance(answer, Faces) else answer
            self._done += 1
            yield picture, answer
            if isinstance(answer, Faces) and answer.candidates_dropped:
                console.message(f"{picture.path}: {capped(answer.candidates_dropped)}")
            if problem is not None:
                self._has_failures = True
                console.message(line_of(picture, problem))

    def _keep(self, picture: Picture, faces: Faces) -> Problem | None:
        """What went wrong, if something did."""
        try:
            if self._take is not None:
                self._take(picture, faces)
            if picture in self._copies:
                # Not at the top: only copies need to draw.
                from face_tools.drawing import save_drawing

                save_drawing(content(picture), faces, self._copies[picture])
        except (FaceError, OSError, OutputError) as error:
            return error
        return None


def line_of(picture: Picture, problem: Problem) -> str:
    """What a person is told of it."""
    # What cannot be written is no fault of the picture.
    return str(problem) if isinstance(problem, OutputError) else f"{picture.path}: {reason(problem)}"


def _show(answers: Answers, args: argparse.Namespace) -> None:
    """The faces as a table or as JSON lines."""
    if args.json:
        for picture, answer in answers:
            console.line(json.dumps({"image": str(picture.path), **_document(answer)}))
    else:
        console.print_as_they_come(_COLUMNS, (row for picture, answer in answers for row in _rows(picture, answer)))


def _document(answer: BatchAnswer) -> dict[str, Any]:
    return answer.to_dict() if isinstance(answer, Faces) else {"error": error_document(answer)}


def error_document(error: Problem) -> dict[str, str]:
    """Why a picture has no answer, for JSON. type: a class of `face_client.errors`, or Python's own for a file."""
    return {"type": type(error).__name__, "message": sentence(error)}


def sentence(problem: Problem) -> str:
    """What went wrong, without the name of what was read."""
    return str(problem) if isinstance(problem, OutputError) else reason(problem)


def _rows(picture: Picture, answer: BatchAnswer) -> Iterator[tuple[str, str, str, str]]:
    """A row for each face; a picture without any has one row too, one that failed has none."""
    if not isinstance(answer, Faces):
        return
    if not answer:
        yield str(picture.path), "0", "", ""
    for face in answer:
        box = " ".join(f"{value:.1f}" for value in face.box)
        yield str(picture.path), str(len(answer)), box, f"{face.probability:.4f}"
