"""`faces detect`: the faces in pictures, as a table, as JSON lines, and drawn."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face_client.cli import console
from face_client.cli.arguments import add_connection, add_parameters, parameters_from, positive_int
from face_client.cli.files import Job, plan
from face_client.errors import FaceError, ServerUnavailable
from face_client.faces import Faces

if TYPE_CHECKING:
    from face_client.client import FaceClient

HELP = "find the faces in pictures"

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_SERVER = 3

_EPILOG = """\
examples:
  faces detect photo.jpg
  faces detect holiday/ --save found/                 copies with the faces drawn
  faces detect a.jpg b.png --json > faces.jsonl       one JSON object a line
  faces detect crowd.jpg --min-face-size 12 --threshold-onet 0.9

exit status: 0 every picture was read, 1 some were not, 2 wrong usage, 3 no server
"""

_HEADER = ("image", "faces", "box", "probability")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces detect`."""
    parser.epilog = _EPILOG
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder to search for them")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, instead of the table")
    parser.add_argument("--save", metavar="DIR", type=Path, help="write copies there with the faces drawn")
    parser.add_argument(
        "--max-side", type=positive_int, metavar="N", help="shrink larger pictures to N pixels before sending"
    )
    add_connection(parser)
    add_parameters(parser)


def run(args: argparse.Namespace) -> int:
    """Detect and print; returns the exit status."""
    # Not at the top: gRPC takes longer to import than `faces detect --help` to answer.
    from face_client.client import FaceClient

    try:
        jobs = plan(args.paths, args.save)
    except ValueError as error:
        console.message(f"faces detect: {error}")
        return EXIT_USAGE
    with FaceClient(args.url, timeout=args.timeout) as client:
        try:
            failed = _detect(client, jobs, args)
        except ServerUnavailable:
            console.message(
                f"faces detect: no server with model '{client.model}' is ready at {args.url}; "
                "start one with `faces serve`, or name another with --url"
            )
            return EXIT_NO_SERVER
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _detect(client: FaceClient, jobs: Sequence[Job], args: argparse.Namespace) -> bool:
    """Print the faces of every picture; whether something failed. Raises ServerUnavailable."""
    if not client.is_ready():
        raise ServerUnavailable("not ready")
    failures: list[Path] = []
    answers = console.tracked(
        _answers(client, jobs, args, failures),
        total=len(jobs),
        bar_fits=not (args.json and sys.stdout.isatty()),
    )
    if args.json:
        for path, faces in answers:
            print(json.dumps({"image": str(path), **faces.to_dict()}), flush=True)
    else:
        console.print_table(_HEADER, (row for path, faces in answers for row in _rows(path, faces)))
    return bool(failures)


def _answers(
    client: FaceClient, jobs: Sequence[Job], args: argparse.Namespace, failures: list[Path]
) -> Iterator[tuple[Path, Faces]]:
    """The faces of each picture that was read, its copy saved; the others go to stderr and to `failures`."""
    answers = client.detect_batch(
        (job.path for job in jobs),
        max_side=args.max_side,
        in_flight=args.in_flight,
        on_error="return",
        **parameters_from(args),
    )
    for job, answer in zip(jobs, answers):
        if isinstance(answer, Faces):
            yield job.path, answer
            error = _save(job, answer)
            _warn_if_capped(job.path, answer)
        elif isinstance(answer, ServerUnavailable) and not client.is_ready():
            raise answer
        else:
            error = answer
        if error is not None:
            failures.append(job.path)
            console.message(f"{job.path}: {_reason(error)}")


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


def _reason(error: FaceError | OSError) -> str:
    """One line; the path is named before it already."""
    return str((error.strerror if isinstance(error, OSError) else None) or error)
