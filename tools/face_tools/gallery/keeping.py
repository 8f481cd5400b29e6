"""`faces gallery list`, `remove`, `compact` and `index`: what needs no server."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from face_client.errors import InvalidInput
from face_command import console, outputs
from face_gallery.records import Person, checked_name
from face_gallery.register import Register
from face_gallery.store import SearchingStore, Store
from face_tools.choosing import add_choice, listed
from face_tools.connection import EXIT_OK, EXIT_SOME_FAILED
from face_tools.drawing import Section
from face_tools.gallery.options import add_collection, add_store, enrolled_index, open_gallery, tell_unknown
from face_tools.gallery.sheets import MOST, check_sheet, person_section, write_sheet

HELPS = {
    "list": "show who is enrolled",
    "remove": "erase people, with all that is known of them",
    "compact": "give room of what was erased back to the file system",
    "index": "make searches in PostgreSQL approximate and fast, or exact again",
}

_EPILOGS = {
    "list": """\
examples:
  faces gallery list
  faces gallery list --where site=A --json           one JSON object a person
  faces gallery list --sheet people.png              all faces whose pictures are kept
""",
    "remove": """\
examples:
  faces gallery remove Ada
  faces gallery remove Ada Bo --collection guests --yes

Names, metadata, embeddings and pictures of the faces are gone then, and no copy of them stays in the file; copies that
you made of it are yours to erase.

exit status: 0 they are erased, 1 they are not, 2 wrong usage, or nobody of that name
""",
    "compact": """\
example:
  faces gallery compact --store people.gallery
""",
    "index": """\
examples:
  faces gallery index --hnsw --store postgresql://host/faces
  faces gallery index --exact --store postgresql://host/faces

It is for the searches that the database does itself. Those in memory, of a file or of a server with a gallery, are
exact always. An HNSW index takes minutes for a million faces, and nobody can be enrolled meanwhile.
""",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the arguments of one of the verbs."""
    parser.epilog = _EPILOGS[verb]
    if verb == "remove":
        parser.add_argument("names", nargs="+", metavar="NAME", help="of a person")
    add_store(parser)
    if verb == "remove":
        add_collection(parser)
        parser.add_argument("--yes", action="store_true", help="erase without asking")
    elif verb == "index":
        kind = parser.add_mutually_exclusive_group(required=True)
        kind.add_argument(
            "--hnsw", action="store_true", help="by an HNSW index of pgvector's, of the embeddings of the active index"
        )
        kind.add_argument("--exact", action="store_true", help="without one")
    elif verb == "list":
        add_choice(parser)
        parser.add_argument("--json", action="store_true", help="one JSON object a person, instead of the table")
        parser.add_argument("--sheet", metavar="FILE", type=Path, help="write all faces there, as .png")
        outputs.add_force(parser)


def show(args: argparse.Namespace) -> int:
    """`faces gallery list`; returns the exit status."""
    if args.sheet is not None:
        if args.sheet.suffix.lower() != ".png":
            raise InvalidInput(f"--sheet is {args.sheet}; it must end in .png")
        check_sheet(args.sheet, outputs.identities([Path(args.store)]), args.force)
    where = listed(args.where)
    with open_gallery(args) as store:
        tell_unknown(store, args.collections)
        people = store.people(args.collections, where)
        if args.json:
            for person in people:
                console.line(json.dumps(person.to_dict()))
        else:
            console.print_table(("person", "collection", "faces", "since", "metadata"), map(_row, people))
            console.message(_about(store))
        if args.sheet is not None:
            _write_sheet(args, store, store.people(args.collections, where))
    return EXIT_OK


def _row(person: Person) -> tuple[str, ...]:
    since = time.strftime("%Y-%m-%d", time.localtime(person.created))
    known = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in person.metadata.items())
    return person.name, person.collection, str(person.faces), since, known


def _about(store: Store) -> str:
    indexes = [
        f"{index.faces} faces embedded by {index.weights.name} ({index.weights.sha256[:12]})"
        f"{'' if index.is_active else ', not enrolled into'}"
        for index in store.indexes()
    ]
    return "; ".join([f"{sum(store.collections().values())} people in {store.where}", *indexes])


def _write_sheet(args: argparse.Namespace, store: Store, people: Iterator[Person]) -> None:
    sections: list[Section] = []
    left_out = 0
    for person in people:
        if len(sections) < MOST:
            sections.append(person_section(store, person))
        else:
            left_out += 1
    if not any(section.tiles for section in sections):
        console.message(f"no pictures of faces of these people are kept in {store.where}; no sheet was written")
        return
    write_sheet(args.sheet, sections)
    if left_out:
        console.message(f"the sheet shows the first {MOST} people; {left_out} are left out")


def remove(args: argparse.Namespace) -> int:
    """Erase people; returns the exit status."""
    collection = checked_name("collection", args.collection)
    with open_gallery(args) as store:
        # All of them before the first is gone: a name may be wrong.
        people = [store.person(collection, checked_name("person", name)) for name in dict.fromkeys(args.names)]
        if not args.yes and not _is_wanted(people):
            return EXIT_SOME_FAILED
        register = Register(store)
        for person in people:
            faces = register.remove(person.name, collection)
            console.line(f"erased: {person.name} of collection {collection}, {_count(faces)}")
    return EXIT_OK


def _is_wanted(people: list[Person]) -> bool:
    if not sys.stdin.isatty():
        raise InvalidInput("nobody is there to be asked: give --yes to erase; nothing was erased")
    names = ", ".join(f"{person.name} ({_count(person.faces)})" for person in people)
    print(f"Erase {names}? There is no way back. [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    console.message("nothing was erased")
    return False


def _count(faces: int) -> str:
    return f"{faces} face{'' if faces == 1 else 's'}"


def compact(args: argparse.Namespace) -> int:
    """Write the gallery anew; returns the exit status."""
    with open_gallery(args) as store:
        before = _size(args.store)
        store.compact()
        after = _size(args.store)
        if before is not None and after is not None:
            console.line(f"{store.where}: {before:,} bytes before, {after:,} after")
        else:
            console.line(f"{store.where} is compacted")
    return EXIT_OK


def index(args: argparse.Namespace) -> int:
    """Make an index for searches, or drop it; returns the exit status."""
    with open_gallery(args) as store:
        if not isinstance(store, SearchingStore):
            raise InvalidInput(f"{store.where} is a file: it is searched in memory, exactly")
        weights = enrolled_index(store).weights.sha256
        if args.hnsw:
            store.add_hnsw(weights)
        else:
            store.drop_hnsw(weights)
        console.line(f"{store.where} searches {'by an HNSW index' if args.hnsw else 'exactly'} now")
    return EXIT_OK


def _size(where: str) -> int | None:
    """Of a file; None for a database."""
    path = Path(where)
    return path.stat().st_size if path.is_file() else None
