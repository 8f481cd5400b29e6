"""`faces gallery add`: pictures of one person, a folder for each, named clusters, a run of `faces batch`."""

from __future__ import annotations

import argparse
import os
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from face_client.errors import InvalidInput
from face_client.faces import Faces
from face_command import console
from face_command.arguments import key_and_value
from face_command.interrupts import Interrupts
from face_gallery.enrolling import Enrolling
from face_gallery.records import checked_name
from face_gallery.store import Store
from face_tools import batch, pictures
from face_tools.choosing import listed
from face_tools.connection import EXIT_OK, EXIT_SOME_FAILED, add_asking, add_random_weights
from face_tools.gallery.batch_runs import BatchRun, Persons
from face_tools.gallery.clusters import Wanted, face_at, number_and_name, read_clusters
from face_tools.gallery.enrolments import Enrolments, Given, print_rows
from face_tools.gallery.labelled import people_in
from face_tools.gallery.options import (
    PARAMETERS_OF_GALLERIES,
    add_collection,
    add_gate,
    add_store,
    check_no_limits,
    gate_of,
    open_gallery,
    register_of,
    some_of,
)
from face_tools.pictures import STDIN, Picture

HELPS = {"add": "enrol people, by pictures of them"}

_EPILOG = """\
examples:
  faces gallery add Ada ada1.jpg ada2.jpg            one person; more pictures later add to what is there
  faces gallery add --people staff/                  staff/Ada/*.jpg, staff/Bo/*.jpg, …: a folder a person
  faces gallery add --clusters clusters.json --name 1=Ada --name 3=Bo
  faces gallery add --batch run/ --persons people.csv
  faces gallery add Ada badge.jpg --metadata site=A --metadata level=3
  faces gallery add Ada ada1.jpg --min-size 60 --max-yaw 20

Each picture should show one face. A face that is not good enough, or looks like somebody else who is enrolled, is
refused and the reasons are said; --force enrols it all the same, and of several faces the largest. All pictures of a
person are written together: after Ctrl-C, whoever is not complete is not enrolled. Pictures that are enrolled for this
person already are passed over, so a run that ended early can be started again; --metadata is kept all the same.
Clusters are those of `faces cluster`, by the numbers on its sheet: their pictures are asked about again, and the faces
that lie where the cluster has them are enrolled. Of a run of `faces batch --embeddings` nothing is asked again; give it
--crops too, or sharpness and light are not known.

exit status: 0 every picture was enrolled, 1 some were refused or could not be read, 2 wrong usage, 3 no server, or
none with a trained FaceNet that fits the gallery
"""


def add_arguments(parser: argparse.ArgumentParser, _verb: str) -> None:
    """Declare the arguments of `faces gallery add`."""
    parser.epilog = _EPILOG
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the person")
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="a picture of the person, a folder of them, or - for stdin"
    )
    parser.add_argument("--people", metavar="FOLDER", type=Path, help="enrol many: FOLDER/NAME/*.jpg")
    parser.add_argument(
        "--clusters", metavar="FILE", type=Path, help="enrol the faces of these clusters of faces cluster"
    )
    parser.add_argument(
        "--name",
        dest="names",
        action="append",
        type=number_and_name,
        metavar="N=NAME",
        help="whose faces cluster N has; may be given several times",
    )
    parser.add_argument("--batch", metavar="RUN", type=Path, help="enrol the faces of a run of faces batch; no server")
    parser.add_argument(
        "--persons",
        metavar="FILE",
        help="whose pictures they are: a CSV file of path,person; or 'folder': the name of a picture's folder",
    )
    add_store(parser)
    add_collection(parser)
    parser.add_argument(
        "--metadata",
        action="append",
        type=key_and_value,
        metavar="KEY=VALUE",
        help="what else is known of them; may be given several times, and comes to what is known",
    )
    parser.add_argument("--force", action="store_true", help="enrol also what is not good enough, or looks like others")
    parser.add_argument("--no-crops", action="store_true", help="keep no pictures of the faces, only their embeddings")
    parser.add_argument("--json", action="store_true", help="one JSON object a person, instead of the table")
    add_gate(parser)
    add_random_weights(parser)
    add_asking(parser, PARAMETERS_OF_GALLERIES)


def run(args: argparse.Namespace) -> int:
    """Enrol and print; returns the exit status."""
    _check(args)
    metadata = None if args.metadata is None else listed(args.metadata)
    args.collection = checked_name("collection", args.collection)
    if args.batch is not None:
        run, persons = BatchRun(args.batch), Persons(args.persons)
        with open_gallery(args, create=True) as store:
            return _Adding(args, store, metadata).take_over(run, persons)
    wanted = _wanted(args)
    with open_gallery(args, create=True) as store:
        adding = _Adding(args, store, metadata)
        return batch.run(
            args.verb,
            args,
            recognize=True,
            crops=True,
            found=adding.pictures(wanted),
            show=adding.show,
            finish=adding.finish,
        )


def _check(args: argparse.Namespace) -> None:
    """Raises InvalidInput where what was given makes no sense together. Names become as they are kept."""
    sources = [flag for flag in ("--people", "--clusters", "--batch") if getattr(args, flag[2:]) is not None]
    if args.name is not None:
        sources.insert(0, f"the name {args.name!r}")
    if len(sources) > 1:
        raise InvalidInput(f"{' and '.join(sources)} were given; give one of them")
    if not args.paths and (not sources or args.name is not None):
        said = "" if args.name is None else f" ({args.name!r} is taken for the name)"
        raise InvalidInput(f"give a person's name and pictures, or --people FOLDER{said}")
    if args.name is not None:
        args.name = checked_name("person", args.name)
        _check_no_path(args.name, args.paths)
    if args.people is not None and not args.people.is_dir():
        raise InvalidInput(f"--people is {args.people}, which is no folder")
    if args.force:
        check_no_limits(args, "with --force, which enrols faces however good")
    for flag, needed, others in (("--clusters", "--name", args.names), ("--batch", "--persons", args.persons)):
        is_given = getattr(args, flag[2:]) is not None
        if is_given != bool(others):
            raise InvalidInput(f"{flag} and {needed} belong together; give both")


def _check_no_path(name: str, paths: Sequence[str]) -> None:
    """Raises InvalidInput where the name was forgotten, and the first picture stands in its place. Of pictures that lie
    in a folder of the person's name it was not."""
    # Not Path.exists: a name may be longer than a path can be.
    is_folder = os.path.isdir(name)  # noqa: PTH112
    if not os.path.exists(name):  # noqa: PTH110
        return
    if is_folder and all(Path(name) in (Path(path), *Path(path).parents) for path in paths):
        return
    raise InvalidInput(
        f"{name!r} is taken for the name, and is a {'folder' if is_folder else 'file'} here: write "
        f"`faces gallery add NAME {shlex.join([name, *paths[:1]])}{' …' if len(paths) > 1 else ''}`; for a person who "
        "is called so, give the pictures from another folder"
    )


def _wanted(args: argparse.Namespace) -> list[Wanted]:
    """Whose pictures they are; those of one person follow one another as far as they can."""
    if args.clusters is not None:
        return read_clusters(args.clusters, args.names)
    if args.people is None:
        return [Wanted(args.name, picture) for picture in pictures.find(args.paths)]
    return [Wanted(name, picture) for name, picture in people_in(args.people)]


class _Adding:
    """The way of pictures into the gallery."""

    def __init__(self, args: argparse.Namespace, store: Store, metadata: dict[str, Any] | None) -> None:
        self._args, self._store, self._metadata = args, store, metadata
        self._wanted: dict[Picture, list[Wanted]] = {}
        self._has_gaps = False
        self._enrolments = Enrolments(
            Enrolling(register_of(store, args), gate_of(args), not args.no_crops),
            collection=args.collection,
            metadata=metadata,
            force=args.force,
        )

    def pictures(self, wanted: Sequence[Wanted]) -> Sequence[Picture]:
        """Those that are to be asked about."""
        for each in self._left(wanted, lambda each: (each.person, image_of(each.picture))):
            self._wanted.setdefault(each.picture, []).append(each)
        return list(self._wanted)

    def _left(self, wanted: Sequence[Any], key: Callable[[Any], tuple[str, str]]) -> list[Any]:
        """Without what is enrolled already, of which it is said how much; the others are expected."""
        there = {(name, details.get("image")) for name, details in self._store.details(self._args.collection)}
        # Another picture each time.
        there = {(name, image) for name, image in there if image != str(STDIN.place)}
        left = [each for each in wanted if key(each) not in there]
        if len(left) < len(wanted):
            console.message(f"{len(wanted) - len(left)} of {len(wanted)} pictures are enrolled already")
            self._tell(dict.fromkeys(person for person, image in map(key, wanted) if (person, image) in there))
        self._enrolments.expect(Counter(key(each)[0] for each in left))
        return left

    def _tell(self, people: Collection[str]) -> None:
        """What was given of them is kept also of people of whom no picture is new."""
        if self._metadata:
            for person in people:
                self._store.tell(self._args.collection, person, self._metadata)
            console.message(f"--metadata is kept for {some_of(sorted(people))}")

    def show(self, answers: batch.Answers) -> None:
        print_rows(self._rows(answers), self._args.json)

    def _rows(self, answers: batch.Answers) -> Iterator[dict[str, Any]]:
        for picture, answer in answers:
            is_told = not isinstance(answer, Faces)
            for person, _, box in self._wanted[picture]:
                only = answer if box is None or not isinstance(answer, Faces) else face_at(answer, box)
                yield from self._enrolments.take(Given(person, image_of(picture), only, is_told))

    def finish(self) -> int:
        """Also after Ctrl-C: who is complete is enrolled, and it is said who is not."""
        unfinished = self._enrolments.unfinished()
        if unfinished:
            console.message(f"not enrolled, as it ended before their last picture: {some_of(sorted(unfinished))}")
        failed = self._enrolments.has_refusals or self._has_gaps or unfinished
        return EXIT_SOME_FAILED if failed else EXIT_OK

    def take_over(self, run: BatchRun, persons: Persons) -> int:
        """Enrol out of a run of `faces batch`; returns the exit status. Asks no server."""
        named = [(persons.of(path), path) for path in run.paths()]
        left = self._left([(person, path) for person, path in named if person is not None], lambda each: each)
        self._has_gaps = persons.tell_unused(named)
        person_of = {path: person for person, path in left}
        faces = console.tracked(run.faces(set(person_of)), total=len(person_of))
        with Interrupts() as interrupts:
            try:
                given = (Given(person_of[path], path, answer) for path, answer in faces)
                print_rows((row for each in given for row in self._enrolments.take(each)), self._args.json)
            finally:
                with interrupts.held():
                    status = self.finish()
        return status


def image_of(picture: Picture) -> str:
    """What the gallery keeps to know a picture by."""
    return str(picture.place) if picture is STDIN else str(picture.path.resolve())
