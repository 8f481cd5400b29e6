"""`faces gallery export` and `import`: a gallery as a Parquet file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from face_client.errors import InvalidInput
from face_client.extras import how_to_install
from face_command import console, outputs
from face_command.outputs import OutputError
from face_tools.connection import EXIT_OK
from face_tools.gallery.options import add_store, open_gallery

HELPS = {
    "export": "write everybody to a Parquet file: a backup, and for other tools",
    "import": "enrol everybody of such a file",
}

_EPILOGS = {
    "export": """\
examples:
  faces gallery export backup.parquet
  faces gallery export staff.parquet --store postgresql://db/people

A row a face: person, collection, metadata, embedding, the face's picture where it is kept. Whoever has the file has
all of it: keep it as you keep the gallery, and erase people in it too.
""",
    "import": """\
examples:
  faces gallery import backup.parquet --store new.gallery
  faces gallery import staff.parquet --store postgresql://db/people

All or none are enrolled; faces that are there already are left out. The embeddings must be of the network that the
gallery's are of.
""",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the arguments of one of the verbs."""
    parser.epilog = _EPILOGS[verb]
    parser.add_argument("file", metavar="FILE", type=Path, help="the Parquet file")
    add_store(parser)
    if verb == "export":
        outputs.add_force(parser)


def export(args: argparse.Namespace) -> int:
    """Write; returns the exit status."""
    parquet = _parquet()
    reads = outputs.identities([Path(args.store)])
    outputs.check_file("FILE", args.file, reads=reads, is_ours=parquet.is_export, force=args.force)
    with open_gallery(args) as store:
        try:
            args.file.parent.mkdir(parents=True, exist_ok=True)
            rows = parquet.export(store, args.file)
        except OSError as error:
            raise OutputError(f"{args.file} cannot be written: {error.strerror or error}") from error
        people = sum(store.collections().values())
    console.line(f"{args.file}: {people:,} people, {rows:,} rows")
    return EXIT_OK


def import_(args: argparse.Namespace) -> int:
    """Enrol; returns the exit status."""
    parquet = _parquet()
    if not args.file.is_file():
        raise InvalidInput(f"{args.file} is no file")
    with open_gallery(args, create=True) as store:
        before = sum(store.collections().values())
        faces, without = parquet.import_(store, args.file)
        people = sum(store.collections().values())
    console.line(f"{store.where}: {people - before:,} people and {faces:,} faces more; {people:,} people in all")
    if without:
        console.message(f"{without:,} faces have no embedding in {args.file}, and were left out")
    return EXIT_OK


def _parquet() -> Any:
    """The module; ImportError says what to install."""
    try:
        from face_gallery import parquet
    except ModuleNotFoundError as error:
        hint = how_to_install("triton-faces-gallery", "parquet")
        raise ImportError(f"pyarrow is needed for Parquet files: {hint}", name=error.name) from error
    return parquet
