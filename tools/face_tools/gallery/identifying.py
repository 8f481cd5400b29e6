"""`faces gallery identify` and `verify`: who is in pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from face_client.errors import FaceError, InvalidInput, NoFace, ServerUnavailable, reason
from face_client.faces import Faces
from face_client.options import of_one_face
from face_command import console, outputs
from face_command.outputs import OutputError
from face_gallery.records import Identified, Threshold, checked_name
from face_gallery.register import Register
from face_gallery.store import Store
from face_tools import batch, pictures
from face_tools.choosing import add_choice, add_deciding, listed
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    add_asking,
    add_random_weights,
    check_parameters,
    check_ready,
    check_weights,
    open_client,
    parameters_from,
)
from face_tools.drawing import Section, save_drawing
from face_tools.gallery.options import (
    PARAMETERS_OF_GALLERIES,
    add_collection,
    add_gate,
    add_store,
    add_top,
    check_no_limits,
    gate_of,
    open_gallery,
    register_of,
    tell_unknown,
)
from face_tools.gallery.sheets import MOST, asked_section, check_sheet, write_sheet
from face_tools.pictures import Picture, content, picture_at

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_NO_ANSWER = 2

HELPS = {"identify": "tell who is in pictures", "verify": "tell whether a picture shows a certain person"}
FAILED = {"identify": EXIT_SOME_FAILED, "verify": EXIT_NO_ANSWER}

UNKNOWN = "(unknown)"
NOT_GOOD_ENOUGH = "(not good enough)"

_COLUMNS = (
    console.Column("image"),
    console.Column("box", 27),
    console.Column("person"),
    console.Column("distance", 8),
    console.Column("margin", 6),
)

_EPILOGS = {
    "identify": """\
examples:
  faces gallery identify party.jpg                   a line a face: who it is, how near, and how much nearer than others
  faces gallery identify party/ --save named/ --sheet check.png
  faces gallery identify door.jpg --collection staff --where site=A --json
  faces gallery identify door.jpg --quality          faces that are too poor are not told, but the reasons are

distance is that to the nearest enrolled face of the likeliest person, from 0 to 2; below the threshold it is that
person. margin is by how much the next person is farther away: a small one is a doubtful answer.

exit status: 0 every picture was read, 1 some were not or a file could not be written, 2 wrong usage, 3 no server, or
none with a trained FaceNet that fits the gallery
""",
    "verify": """\
examples:
  faces gallery verify Ada visitor.jpg
  faces gallery verify Ada visitor.jpg --threshold 0.9 && echo "come in"

The largest face of the picture counts; --selection takes another.

exit status: 0 it is this person, 1 it is not, 2 no answer (nobody of that name, a picture that cannot be read or
without a face, wrong usage), 3 no server, or none with a trained FaceNet that fits the gallery
""",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the arguments of `faces gallery identify` or `verify`."""
    parser.epilog = _EPILOGS[verb]
    if verb == "identify":
        pictures.add_paths(parser)
    else:
        parser.add_argument("name", metavar="NAME", help="of the person")
        parser.add_argument("path", metavar="PATH", help="a picture, or - for stdin")
    add_store(parser)
    if verb == "identify":
        _add_identifying(parser)
    else:
        add_collection(parser)
        parser.add_argument("--json", action="store_true", help="a JSON object instead of the table")
    add_deciding(parser)
    add_random_weights(parser)
    add_asking(parser, PARAMETERS_OF_GALLERIES)


def _add_identifying(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_top(parser)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, a picture each, instead of the table"
    )
    parser.add_argument(
        "--save", dest="copies", metavar="DIR", type=Path, help="write copies there with the names drawn"
    )
    parser.add_argument(
        "--sheet", metavar="FILE", type=Path, help="write each face there beside the nearest enrolled ones, as .png"
    )
    parser.add_argument("--quality", action="store_true", help="do not tell who is in faces that are too poor")
    add_gate(parser)
    outputs.add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Identify and print; returns the exit status."""
    if args.sheet is not None and args.sheet.suffix.lower() != ".png":
        raise InvalidInput(f"--sheet is {args.sheet}; it must end in .png")
    if not args.quality:
        check_no_limits(args, "without --quality")
    crops = args.sheet is not None or args.quality
    with open_gallery(args) as store:
        tell_unknown(store, args.collections)
        asked = _Identifying(args, store)
        return batch.run(
            args.verb, args, recognize=True, crops=crops, check=asked.check, show=asked.show, finish=asked.finish
        )


class _Identifying:
    """Takes answers, says who is in them, and writes what was asked for."""

    def __init__(self, args: argparse.Namespace, store: Store) -> None:
        self._args, self._store = args, store
        self._register = register_of(store, args)
        self._where = listed(args.where)
        self._copies: dict[Picture, Path] = {}
        self._threshold: Threshold | None = None
        self._sections: list[Section] = []
        self._left_out = 0
        self._weights: str | None = None
        self._has_failures = False

    def check(self, found: Sequence[Picture]) -> None:
        """Raises OutputRefused where a file would be lost."""
        if self._args.copies is not None:
            self._copies = pictures.plan_copies(found, self._args.copies, self._args.force)
        if self._args.sheet is not None:
            check_sheet(self._args.sheet, outputs.identities(picture.path for picture in found), self._args.force)

    def show(self, answers: batch.Answers) -> None:
        """A row a face, or a line of JSON a picture."""
        if self._args.json:
            for picture, answer in answers:
                document = (
                    {"faces": [found.to_dict() for found in self._identified(picture, answer)]}
                    if isinstance(answer, Faces)
                    else {"error": batch.error_document(answer)}
                )
                console.line(json.dumps({"image": str(picture.path), **document}))
        else:
            console.print_as_they_come(_COLUMNS, self._rows(answers))

    def _rows(self, answers: batch.Answers) -> Iterator[Sequence[str]]:
        for picture, answer in answers:
            if not isinstance(answer, Faces):
                continue
            identified = self._identified(picture, answer)
            if not identified:
                yield str(picture.path), "", "", "", ""
            for found in identified:
                box = " ".join(f"{value:.1f}" for value in found.face.box)
                yield str(picture.path), box, _name(found), _number(found.distance), _number(found.margin)

    def _identified(self, picture: Picture, faces: Faces) -> list[Identified]:
        args = self._args
        identified = self._register.identify(
            faces,
            top=args.top,
            threshold=args.threshold,
            collections=args.collections,
            where=self._where,
            gate=gate_of(args) if args.quality else None,
        )
        # Only here: they may have been refused.
        if identified and faces.weights is not None:
            self._weights = faces.weights.sha256
        for number, found in enumerate(identified, 1):
            self._threshold = found.threshold
            if found.refusals and not args.json:
                console.message(f"{picture.path}: face {number} is not good enough: {'; '.join(found.refusals)}")
        self._save(picture, faces, identified)
        self._put_on_sheet(picture, identified)
        return identified

    def _save(self, picture: Picture, faces: Faces, identified: Sequence[Identified]) -> None:
        if picture not in self._copies:
            return
        try:
            save_drawing(content(picture), faces, self._copies[picture], [_label(found) for found in identified])
        except (FaceError, OSError, OutputError) as error:
            self._has_failures = True
            said = str(error) if isinstance(error, OutputError) else f"{picture.path}: {reason(error)}"
            console.message(said)

    def _put_on_sheet(self, picture: Picture, identified: Sequence[Identified]) -> None:
        if self._args.sheet is None:
            return
        shown = identified[: MOST - len(self._sections)]
        self._left_out += len(identified) - len(shown)
        crops = self._store.crops(candidate.face for found in shown for candidate in found.candidates)
        self._sections += [asked_section(f"{picture.path.name}: {_name(found)}", found, crops) for found in shown]

    def finish(self) -> int:
        """The sheet, and what was decided by."""
        if self._sections:
            write_sheet(self._args.sheet, self._sections)
        if self._left_out:
            console.message(f"the sheet shows the first {MOST} faces; {self._left_out} are left out")
        lacking = 0 if self._weights is None else len(self._store.lacking(self._weights))
        if lacking:
            console.message(
                f"{lacking} enrolled faces have no embedding by the server's network, and are not found: "
                "`faces gallery reindex` makes them, where there are pictures"
            )
        if self._threshold is not None:
            console.message(said_of(self._threshold))
        return EXIT_SOME_FAILED if self._has_failures else EXIT_OK


def _name(found: Identified) -> str:
    return NOT_GOOD_ENOUGH if found.refusals else found.person or UNKNOWN


def _label(found: Identified) -> str:
    """Beside a face in a copy."""
    return _name(found) if found.distance is None or found.refusals else f"{_name(found)} {found.distance:.2f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def said_of(threshold: Threshold) -> str:
    """A sentence for people about what an answer was decided by."""
    said = f"the threshold is a distance of {threshold.distance:.3f}"
    if threshold.source == "given":
        return f"{said}, as it was given"
    if threshold.source != "calibrated":
        return f"{said}, the literature's; `faces gallery calibrate` finds one for these people"
    if threshold.false_match_rate is None:
        return f"{said}, calibrated on this gallery"
    interval = "" if threshold.interval is None else f" ({threshold.interval[0]:.2%} to {threshold.interval[1]:.2%})"
    among = "" if threshold.people is None else f" of {threshold.people} people"
    return f"{said}, calibrated: {threshold.false_match_rate:.2%}{interval} of strangers are taken for somebody{among}"


def verify(args: argparse.Namespace) -> int:
    """Verify and print; returns the exit status."""
    checked_name("person", args.name)
    with open_gallery(args) as store, open_client(args) as client:
        # Before the server is asked: the name may be wrong.
        collection = checked_name("collection", args.collection)
        tell_unknown(store, [collection])
        store.person(collection, checked_name("person", args.name))
        check_ready(client, client.recognizer, client.embedder, wait=args.wait)
        check_weights(client, args.verb, args.random_weights)
        check_parameters(client, args, recognize=True)
        (answer,) = client.recognize_each(
            [content(picture_at(args.path))], max_side=args.max_side, in_flight=1, **of_one_face(parameters_from(args))
        )
        if isinstance(answer, ServerUnavailable):
            check_ready(client, client.recognizer, client.embedder)
        if not isinstance(answer, Faces):
            console.message(f"{args.path}: {reason(answer)}")
            return EXIT_NO_ANSWER
        return _verified(register_of(store, args), answer, args)


def _verified(register: Register, faces: Faces, args: argparse.Namespace) -> int:
    if not faces or faces.embeddings is None:
        raise NoFace(f"{args.path}: no face was found")
    weights = register.check(faces.weights)
    told = register.verify(faces.embeddings[0], weights, args.name, args.collection, args.threshold)
    if args.json:
        document: dict[str, Any] = {"image": str(args.path), **told.to_dict()}
        console.line(json.dumps(document))
    else:
        verdict = "the same person" if told.same else "somebody else"
        row = (told.person, f"{told.distance:.3f}", f"{told.cosine:.3f}", verdict)
        console.print_table(("person", "distance", "cosine", "verdict"), [row])
        console.message(said_of(told.threshold))
    return EXIT_SAME if told.same else EXIT_DIFFERENT
