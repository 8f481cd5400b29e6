"""What the verbs share that find faces in many pictures: a table, JSON lines, copies with the faces drawn."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from face_client.cli import console
from face_client.cli.arguments import add_connection, add_parameters, positive_int, tls_from
from face_client.cli.files import Job, plan
from face_client.cli.status import EXIT_NO_SERVER, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, no_server
from face_client.errors import FaceError, ServerUnavailable, reason
from face_client.faces import Faces

if TYPE_CHECKING:
    from face_client.batches import BatchAnswer
    from face_client.client import FaceClient

_HEADER = ("image", "faces", "box", "probability")

FacesOfPictures = Iterator[tuple[Path, Faces]]


def _ignore(_path: Path, _faces: Faces) -> None:
    """For verbs that only print."""


def _show(answers: FacesOfPictures, args: argparse.Namespace) -> None:
    """The faces as a table or as JSON lines."""
    if args.json:
        for path, faces in answers:
            print(json.dumps({"image": str(path), **faces.to_dict()}), flush=True)
    else:
        console.print_table(_HEADER, (row for path, faces in answers for row in _rows(path, faces)))


class Verb(NamedTuple):
    """ask: an answer for each path, in order. models: those it needs on the server. take: is shown the faces.
    show: prints those of all pictures."""

    name: str
    ask: Callable[[FaceClient, Iterable[Path]], Iterator[BatchAnswer]]
    models: Callable[[FaceClient], Sequence[str]]
    take: Callable[[Path, Faces], None] = _ignore
    show: Callable[[FacesOfPictures, argparse.Namespace], None] = _show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a verb that prints faces."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder to search for them")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, instead of the table")
    parser.add_argument("--save", metavar="DIR", type=Path, help="write copies there with the faces drawn")
    add_asking(parser)


def add_asking(parser: argparse.ArgumentParser) -> None:
    """Declare what concerns the way in which the server is asked."""
    parser.add_argument(
        "--max-side", type=positive_int, metavar="N", help="shrink larger pictures to N pixels before sending"
    )
    add_connection(parser)
    add_parameters(parser)


def run(verb: Verb, args: argparse.Namespace) -> int:
    """Ask and print; returns the exit status."""
    # Not at the top: gRPC takes longer to import than `--help` to answer.
    from face_client.client import FaceClient

    try:
        jobs = plan(args.paths, getattr(args, "save", None))
    except ValueError as error:
        console.message(f"faces {verb.name}: {error}")
        return EXIT_USAGE
    with FaceClient(args.url, timeout=args.timeout, tls=tls_from(args)) as client:
        try:
            failed = _print(client, verb, jobs, args)
        except _NotReady as error:
            console.message(no_server(verb.name, error.model, args.url))
            return EXIT_NO_SERVER
    return EXIT_SOME_FAILED if failed else EXIT_OK


class _NotReady(Exception):
    """The server, or this model on it, is not there."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


def _print(client: FaceClient, verb: Verb, jobs: Sequence[Job], args: argparse.Namespace) -> bool:
    """Print the faces of every picture; whether something failed. Raises _NotReady."""
    _check_ready(client, verb)
    failures: list[Path] = []
    answers = console.tracked(
        _answers(client, verb, jobs, failures),
        total=len(jobs),
        bar_fits=not (getattr(args, "json", False) and sys.stdout.isatty()),
    )
    verb.show(answers, args)
    return bool(failures)


def _check_ready(client: FaceClient, verb: Verb) -> None:
    for model in verb.models(client):
        if not client.is_ready(model):
            raise _NotReady(model)


def _answers(client: FaceClient, verb: Verb, jobs: Sequence[Job], failures: list[Path]) -> Iterator[tuple[Path, Faces]]:
    """The faces of each picture that was read, its copy saved; the others go to stderr and to `failures`."""
    answers = verb.ask(client, (job.path for job in jobs))
    for job, answer in zip(jobs, answers):
        if isinstance(answer, Faces):
            error: FaceError | OSError | None = _taken(verb, job, answer)
            yield job.path, answer
            error = error or _save(job, answer)
            _warn_if_capped(job.path, answer)
        else:
            if isinstance(answer, ServerUnavailable):
                _check_ready(client, verb)
            error = answer
        if error is not None:
            failures.append(job.path)
            console.message(f"{job.path}: {reason(error)}")


def _taken(verb: Verb, job: Job, faces: Faces) -> OSError | None:
    """Show the faces to the verb; what went wrong, if it could not write what it makes of them."""
    try:
        verb.take(job.path, faces)
    except OSError as error:
        return error
    return None


def _save(job: Job, faces: Faces) -> FaceError | OSError | None:
    """Write the picture with its faces drawn, if a copy is wanted; what went wrong, if something did."""
    if job.copy is None:
        return None
    from face_client.drawing import save_drawing

    try:
        save_drawing(job.path, faces, job.copy)
    except (FaceError, OSError) as error:
        return error
    return None


def _warn_if_capped(path: Path, faces: Faces) -> None:
    if faces.candidates_dropped:
        console.message(
            f"{path}: the server dropped {faces.candidates_dropped} candidates at its limit; "
            "faces may be missing, a larger --min-face-size leaves fewer"
        )


def _rows(path: Path, faces: Faces) -> Iterator[tuple[str, str, str, str]]:
    """A row for each face; a picture without any has one row too."""
    if not faces:
        yield str(path), "0", "", ""
    for face in faces:
        box = " ".join(f"{value:.1f}" for value in face.box)
        yield str(path), str(len(faces)), box, f"{face.probability:.4f}"
