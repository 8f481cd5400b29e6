"""What the verbs share that find faces in many pictures: the files, a table, JSON lines, copies with faces drawn."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from face_client.errors import FaceError, ServerUnavailable, reason
from face_client.faces import Faces
from face_command import console
from face_command.arguments import whole
from face_pictures.formats import SUFFIXES
from face_tools.connection import (
    EXIT_NO_SERVER,
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    add_connection,
    add_parameters,
    no_server,
    tls_from,
)

if TYPE_CHECKING:
    from face_client.batches import BatchAnswer
    from face_client.client import FaceClient


# Which pictures the arguments name, and where their copies are saved.


# GIF has too few colours for a photo with lines drawn in; of unknown suffixes Pillow knows no format.
_SAVED_AS_THEY_ARE = SUFFIXES - {".gif"}


class Job(NamedTuple):
    """A picture to read, and the file for its copy with the faces drawn, if one is wanted."""

    path: Path
    copy: Path | None


class _Source(NamedTuple):
    """place: the picture's path below the folder that was named, or its name."""

    path: Path
    place: Path


def plan(paths: Sequence[str], save: Path | None) -> list[Job]:
    """A job for each file named and each picture in a folder named, in that order, none twice.

    Raises ValueError where there are none, or where a copy in `save` would overwrite a picture to be read.
    """
    sources = _find(paths)
    if not sources:
        raise ValueError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {', '.join(paths)}")
    if save is None:
        return [Job(source.path, None) for source in sources]
    copies = _plan_copies(sources, save)
    return [Job(source.path, copy) for source, copy in zip(sources, copies)]


def plan_stems(paths: Sequence[str], folder: Path) -> dict[Path, Path]:
    """For each picture that `plan` finds, the path in `folder`, without a suffix, of what is made of it; no two are
    the same, and subfolders stay."""
    stems: dict[Path, Path] = {}
    taken: dict[Path, None] = {}
    for source in _find(paths):
        stem = _unused(folder / source.place.with_suffix(""), taken)
        taken[stem] = None
        stems[source.path] = stem
    return stems


def _find(paths: Sequence[str]) -> list[_Source]:
    found: dict[Path, _Source] = {}
    for path in map(Path, paths):
        sources = _in_folder(path) if path.is_dir() else [_Source(path, Path(path.name))]
        for source in sources:
            found.setdefault(source.path, source)
    return list(found.values())


def _in_folder(folder: Path) -> list[_Source]:
    found = []
    for directory, subfolders, names in os.walk(folder):
        subfolders.sort()
        for path in (Path(directory, name) for name in sorted(names)):
            if path.suffix.lower() in SUFFIXES:
                found.append(_Source(path, path.relative_to(folder)))
    return found


def _plan_copies(sources: Sequence[_Source], folder: Path) -> list[Path]:
    """For each source the file in `folder` for its copy; no two are the same."""
    originals = {source.path.resolve() for source in sources}
    planned: dict[Path, None] = {}
    for source in sources:
        planned[_unused(_target(folder / source.place), planned)] = None
    for copy in planned:
        if copy.resolve() in originals:
            raise ValueError(f"--save would overwrite {copy}; give another folder")
    return list(planned)


def _target(path: Path) -> Path:
    """The path with a suffix that Pillow writes."""
    return path if path.suffix.lower() in _SAVED_AS_THEY_ARE else path.with_name(f"{path.name}.png")


def _unused(path: Path, taken: dict[Path, None]) -> Path:
    """The path, with a number where another picture of that name has it already."""
    candidate, number = path, 2
    while candidate in taken:
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


# What the verbs share that find faces in many pictures: a table, JSON lines, copies with the faces drawn.


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
        "--max-side", type=whole(1), metavar="N", help="shrink larger pictures to N pixels before sending"
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
    from face_tools.drawing import save_drawing

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
