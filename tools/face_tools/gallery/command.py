"""`faces gallery`: its verbs, one module each or two."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from face_tools.connection import in_one_line
from face_tools.gallery import adding, identifying, keeping, measuring, transferring

HELP = "people by their faces: enrol, identify, verify, forget"

_EPILOG = """\
A gallery holds people, and of each the embeddings of some faces, in a file or in PostgreSQL. docs/galleries.md is its
guide.

examples:
  faces gallery add Ada ada1.jpg ada2.jpg            enrol a person; makes people.gallery in the current folder
  faces gallery add --people staff/                  a folder a person: staff/Ada/*.jpg
  faces gallery identify party.jpg                   who is in a picture
  faces gallery verify Ada visitor.jpg               whether it is her
  faces gallery list
  faces gallery remove Ada                           erase a person
  faces gallery calibrate                            the threshold for these people
  faces gallery identify --help
"""

Work = Callable[[argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs and their arguments."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, module, work in (
        ("add", adding, adding.run),
        ("identify", identifying, identifying.run),
        ("verify", identifying, identifying.verify),
        ("list", keeping, keeping.show),
        ("remove", keeping, keeping.remove),
        ("compact", keeping, keeping.compact),
        ("index", keeping, keeping.index),
        ("calibrate", measuring, measuring.calibrate),
        ("reindex", measuring, measuring.reindex),
        ("export", transferring, transferring.export),
        ("import", transferring, transferring.import_),
    ):
        text = module.HELPS[name]
        verb = verbs.add_parser(name, help=text, description=text)
        module.add_arguments(verb, name)
        verb.set_defaults(work=work, verb=f"gallery {name}", failed=getattr(module, "FAILED", {}).get(name, 1))


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; returns the exit status."""
    work: Work = args.work
    return in_one_line(args.verb, lambda: work(args), failed=args.failed)
