"""`faces gallery add`: pictures of one person, or a folder for each person."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from face_client.errors import InvalidInput
from face_command import console
from face_command.arguments import key_and_value
from face_gallery.enrolling import Enrolling
from face_gallery.records import checked_name
from face_gallery.store import Store
from face_tools import batch, pictures
from face_tools.choosing import listed
from face_tools.connection import EXIT_OK, EXIT_SOME_FAILED, add_asking, add_random_weights
from face_tools.gallery.enrolments import Enrolments, Given, print_rows
from face_tools.gallery.options import (
    PARAMETERS_OF_GALLERIES,
    add_collection,
    add_gate,
    add_store,
    gate_of,
    open_gallery,
    register_of,
)
from face_tools.pictures import STDIN, Picture

HELPS = {"add": "enrol people, by pictures of them"}

_EPILOG = """\
examples:
  faces gallery add Ada ada1.jpg ada2.jpg            one person; more pictures later add to what is there
  faces gallery add --people staff/                  staff/Ada/*.jpg, staff/Bo/*.jpg, …: a folder a person
  faces gallery add Ada badge.jpg --metadata site=A --metadata level=3
  faces gallery add Ada ada1.jpg --min-size 60 --max-yaw 20

Each picture should show one face. A face that is not good enough, or looks like somebody else who is enrolled, is
refused and the reasons are said; --force enrols it all the same, and of several faces the largest. All pictures of a
person are written together. Pictures that are enrolled for this person already are passed over, so a run that ended
early can be started again.

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
    add_store(parser)
    add_collection(parser)
    parser.add_argument(
        "--metadata",
        action="append",
        type=key_and_value,
        metavar="KEY=VALUE",
        help="what else is known of them; may be given several times, and replaces what was there",
    )
    parser.add_argument("--force", action="store_true", help="enrol also what is not good enough, or looks like others")
    parser.add_argument("--no-crops", action="store_true", help="keep no pictures of the faces, only their embeddings")
    parser.add_argument("--json", action="store_true", help="one JSON object a person, instead of the table")
    add_gate(parser)
    add_random_weights(parser)
    add_asking(parser, PARAMETERS_OF_GALLERIES)


def run(args: argparse.Namespace) -> int:
    """Enrol and print; returns the exit status."""
    wanted = _Wanted(args)
    metadata = None if args.metadata is None else listed(args.metadata)
    checked_name("collection", args.collection)
    with open_gallery(args, create=True) as store:
        adding = _Adding(args, store, wanted, metadata)
        return batch.run(
            args.verb, args, recognize=True, crops=True, found=adding.find(), show=adding.show, finish=adding.finish
        )


class _Wanted:
    """Whose pictures, by what was given. Raises InvalidInput where that makes no sense."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        if args.people is not None and args.name is not None:
            raise InvalidInput(f"--people {args.people} and the name {args.name!r} were given; give one of them")
        if args.people is None and not args.paths:
            said = "" if args.name is None else f" ({args.name!r} is taken for the name)"
            raise InvalidInput(f"give a person's name and pictures, or --people FOLDER{said}")
        if args.people is None:
            checked_name("person", args.name)
        elif not args.people.is_dir():
            raise InvalidInput(f"--people is {args.people}, which is no folder")

    def pictures(self) -> list[tuple[str, Picture]]:
        """Person and picture; those of one person follow one another."""
        if self._args.people is None:
            return [(self._args.name, picture) for picture in pictures.find(self._args.paths)]
        found = []
        for picture in pictures.find([str(self._args.people)]):
            if len(picture.place.parts) > 1:
                found.append((checked_name("person", picture.place.parts[0]), picture))
            else:
                console.message(f"{picture.path}: left out (not in the folder of a person)")
        return found


def image_of(picture: Picture) -> str:
    """What the gallery keeps to know a picture by."""
    return str(picture.place) if picture is STDIN else str(picture.path.resolve())


class _Adding:
    """The way of pictures into the gallery."""

    def __init__(
        self, args: argparse.Namespace, store: Store, wanted: _Wanted, metadata: dict[str, Any] | None
    ) -> None:
        self._args, self._store, self._wanted = args, store, wanted
        self._person: dict[Picture, str] = {}
        self._enrolments = Enrolments(
            Enrolling(register_of(store, args), gate_of(args), not args.no_crops),
            collection=args.collection,
            metadata=metadata,
            force=args.force,
            told=True,
        )

    def find(self) -> Sequence[Picture]:
        """The pictures that are not enrolled yet."""
        found = self._wanted.pictures()
        there = {
            (name, details.get("image"))
            for name, details in self._store.details(checked_name("collection", self._args.collection))
        }
        left = [(person, picture) for person, picture in found if (person, image_of(picture)) not in there]
        if len(left) < len(found):
            console.message(f"{len(found) - len(left)} of {len(found)} pictures are enrolled already")
        self._person = {picture: person for person, picture in left}
        self._enrolments.expect(Counter(self._person.values()))
        return list(self._person)

    def show(self, answers: batch.Answers) -> None:
        print_rows(self._rows(answers), self._args.json)

    def _rows(self, answers: batch.Answers) -> Iterator[dict[str, Any]]:
        for picture, answer in answers:
            yield from self._enrolments.take(Given(self._person[picture], image_of(picture), answer))

    def finish(self) -> int:
        """Also after Ctrl-C: what was looked at is enrolled."""
        rest = list(self._enrolments.rest())
        if rest:
            print_rows(rest, self._args.json)
        return EXIT_SOME_FAILED if self._enrolments.has_refusals else EXIT_OK
