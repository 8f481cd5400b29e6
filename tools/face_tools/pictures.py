"""What the verbs share that find faces in many pictures: the files, a table, JSON lines, copies with faces drawn."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from face_client.errors import FaceError, InvalidInput, ServerUnavailable, reason
from face_client.faces import Faces
from face_command import console
from face_pictures.formats import SUFFIXES
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    add_asking,
    batch_options,
    check_ready,
    in_one_line,
    open_client,
)

if TYPE_CHECKING:
    from face_client.faces import BatchAnswer

_HEADER = ("image", "faces", "box", "probability")

# GIF has too few colours for a photo with lines drawn in; of unknown suffixes Pillow knows no format.
_SAVED_AS_THEY_ARE = SUFFIXES - {".gif"}

FacesOfPictures = Iterator[tuple[Path, Faces]]
Take = Callable[[Path, Faces], None]
Show = Callable[[FacesOfPictures, argparse.Namespace], None]


class Picture(NamedTuple):
    """A file to read. place: its path below the folder that was named, or its name."""

    path: Path
    place: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a verb that prints faces."""
    add_paths(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, instead of the table")
    parser.add_argument("--save", metavar="DIR", type=Path, help="write copies there with the faces drawn")
    add_asking(parser)


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The pictures."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder to search for them")


def _ignore(_path: Path, _faces: Faces) -> None:
    """For verbs that only print."""


def _show(answers: FacesOfPictures, args: argparse.Namespace) -> None:
    """The faces as a table or as JSON lines."""
    if args.json:
        for path, faces in answers:
            print(json.dumps({"image": str(path), **faces.to_dict()}), flush=True)
    else:
        console.print_table(_HEADER, (row for path, faces in answers for row in _rows(path, faces)))


def _rows(path: Path, faces: Faces) -> Iterator[tuple[str, str, str, str]]:
    """A row for each face; a picture without any has one row too."""
    if not faces:
        yield str(path), "0", "", ""
    for face in faces:
        box = " ".join(f"{value:.1f}" for value in face.box)
        yield str(path), str(len(faces)), box, f"{face.probability:.4f}"


def run(
    verb: str,
    args: argparse.Namespace,
    *,
    recognize: bool = False,
    crops: bool = False,
    take: Take = _ignore,
    show: Show = _show,
) -> int:
    """Ask about the pictures in `args`, and print; returns the exit status.

    recognize: with embeddings. crops: with a picture of each face.
    take: is shown the faces of each picture; an OSError that it raises is told, and the next picture comes.
    show: prints those of all pictures.
    """
    return in_one_line(verb, lambda: _run(args, recognize, crops, take, show))


def _run(args: argparse.Namespace, recognize: bool, crops: bool, take: Take, show: Show) -> int:
    pictures = find(args.paths)
    save = getattr(args, "save", None)
    copies = {} if save is None else _plan_copies(pictures, save)
    with open_client(args) as client:
        models = (client.recognizer, client.embedder) if recognize else (client.model,)
        check_ready(client, *models)
        ask = client.recognize_each if recognize else client.detect_each
        paths = (picture.path for picture in pictures)
        answers = ask(paths, crops=crops, **batch_options(args))
        search = _Search(take, copies, partial(check_ready, client, *models))
        is_on_screen = getattr(args, "json", False) and sys.stdout.isatty()
        found = console.tracked(search.faces(pictures, answers), total=len(pictures), bar_fits=not is_on_screen)
        show(found, args)
    return EXIT_SOME_FAILED if search.has_failures else EXIT_OK


class _Search:
    """Takes the answers one by one, shows the faces to the verb and saves their copies; what fails goes to stderr."""

    def __init__(self, take: Take, copies: Mapping[Picture, Path], check_server: Callable[[], None]) -> None:
        self.has_failures = False
        self._take = take
        self._copies = copies
        self._check_server = check_server

    def faces(self, pictures: Sequence[Picture], answers: Iterable[BatchAnswer]) -> FacesOfPictures:
        """Those of each picture that was read. Raises NotReady where the server has gone away."""
        for picture, answer in zip(pictures, answers):
            if isinstance(answer, Faces):
                error = self._keep(picture, answer)
                yield picture.path, answer
                _warn_if_capped(picture.path, answer)
            else:
                error = answer
                if isinstance(answer, ServerUnavailable):
                    self._check_server()
            if error is not None:
                self.has_failures = True
                console.message(f"{picture.path}: {reason(error)}")

    def _keep(self, picture: Picture, faces: Faces) -> FaceError | OSError | None:
        """What went wrong, if something did."""
        try:
            self._take(picture.path, faces)
            if picture in self._copies:
                # Not at the top: only copies need to draw.
                from face_tools.drawing import save_drawing

                save_drawing(picture.path, faces, self._copies[picture])
        except (FaceError, OSError) as error:
            return error
        return None


def _warn_if_capped(path: Path, faces: Faces) -> None:
    if faces.candidates_dropped:
        console.message(f"{path}: {capped(faces.candidates_dropped)}")


def capped(dropped: int) -> str:
    """What a person is told of candidates that the server dropped."""
    return (
        f"the server dropped {dropped} candidates at its limit; "
        "faces may be missing, a larger --min-face-size leaves fewer"
    )


def find(paths: Sequence[str]) -> list[Picture]:
    """Each file named and each picture in a folder named, in that order, none twice.

    A file named by itself is tried whatever it is called. Raises InvalidInput where there are none.
    """
    found: dict[Path, Picture] = {}
    for path in map(Path, paths):
        for picture in _in_folder(path) if path.is_dir() else [Picture(path, Path(path.name))]:
            found.setdefault(picture.path, picture)
    if not found:
        raise InvalidInput(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {', '.join(paths)}")
    return list(found.values())


def _in_folder(folder: Path) -> Iterator[Picture]:
    for directory, subfolders, names in os.walk(folder):
        subfolders.sort()
        for path in (Path(directory, name) for name in sorted(names)):
            if path.suffix.lower() in SUFFIXES:
                yield Picture(path, path.relative_to(folder))


def plan_stems(pictures: Sequence[Picture], folder: Path) -> dict[Path, Path]:
    """For each picture's path the path in `folder`, without a suffix, of what is made of it; no two are the same, and
    subfolders stay."""
    stems = _unlike(folder / picture.place.with_suffix("") for picture in pictures)
    return {picture.path: stem for picture, stem in zip(pictures, stems)}


def _plan_copies(pictures: Sequence[Picture], folder: Path) -> dict[Picture, Path]:
    """For each picture the file in `folder` for its copy; no two are the same.

    Raises InvalidInput where one would overwrite a picture.
    """
    originals = {picture.path.resolve() for picture in pictures}
    copies = _unlike(_writable(folder / picture.place) for picture in pictures)
    for copy in copies:
        if copy.resolve() in originals:
            raise InvalidInput(f"--save would overwrite {copy}; give another folder")
    return dict(zip(pictures, copies))


def _writable(path: Path) -> Path:
    """The path with a suffix that Pillow writes."""
    return path if path.suffix.lower() in _SAVED_AS_THEY_ARE else path.with_name(f"{path.name}.png")


def _unlike(paths: Iterable[Path]) -> list[Path]:
    """The paths, with a number where an earlier one has the name already."""
    taken: dict[Path, None] = {}
    for path in paths:
        candidate, number = path, 2
        while candidate in taken:
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
            number += 1
        taken[candidate] = None
    return list(taken)
