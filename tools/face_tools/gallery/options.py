"""What the verbs about galleries share: which gallery, whom in it, and what a face must be like."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace

from face_client.errors import InvalidInput
from face_client.options import PARAMETERS
from face_command import console
from face_command.arguments import number, whole
from face_gallery.opening import open_store
from face_gallery.quality import DEFAULT_GATE, LIMITS, Gate
from face_gallery.records import DEFAULT_COLLECTION, Index
from face_gallery.register import DEFAULT_TOP, Register
from face_gallery.store import Store

VARIABLE = "TRITON_FACES_GALLERY"
"""The environment variable that has another gallery than the default one."""

_DEFAULT_STORE = "people.gallery"

# A gallery keeps faces in FaceNet's size.
PARAMETERS_OF_GALLERIES = [name for name in PARAMETERS if name != "image_size"]


def add_store(parser: argparse.ArgumentParser) -> None:
    """--store."""
    parser.add_argument(
        "--store",
        default=os.environ.get(VARIABLE) or _DEFAULT_STORE,
        metavar="WHERE",
        # Not the variable's value: it may have a password.
        help=f"the gallery: a file, or postgresql://HOST/DATABASE ({_DEFAULT_STORE}; {VARIABLE} sets another)",
    )


def add_collection(parser: argparse.ArgumentParser) -> None:
    """--collection: the one of a person."""
    parser.add_argument(
        "--collection", default=DEFAULT_COLLECTION, metavar="NAME", help="of which people these are (%(default)s)"
    )


def add_top(parser: argparse.ArgumentParser) -> None:
    """--top."""
    parser.add_argument(
        "--top", type=whole(1, 1000), default=DEFAULT_TOP, metavar="N", help="so many candidates a face (%(default)s)"
    )


def add_gate(parser: argparse.ArgumentParser) -> None:
    """The limits of quality; `gate_of` reads them."""
    group = parser.add_argument_group("what a face must be like (defaults in parentheses)")
    for limit in LIMITS:
        least = "least" if limit.is_least else "most"
        default = getattr(DEFAULT_GATE, limit.name)
        group.add_argument(
            _flag(limit.name), type=number(0), metavar="X", help=f"at {least}: {limit.help} ({default:g})"
        )


def gate_of(args: argparse.Namespace) -> Gate:
    """The limits that were given, and the usual ones."""
    return replace(DEFAULT_GATE, **_limits(args))


def check_no_limits(args: argparse.Namespace, why: str) -> None:
    """Raises InvalidInput for limits where no face is measured by them."""
    for name in _limits(args):
        raise InvalidInput(f"{_flag(name)} is of no use {why}")


def _limits(args: argparse.Namespace) -> dict[str, float]:
    given = {limit.name: getattr(args, limit.name) for limit in LIMITS}
    return {name: value for name, value in given.items() if value is not None}


def _flag(limit: str) -> str:
    return f"--{limit.replace('_', '-')}"


_NAMED = 5


def some_of(names: Sequence[str], what: str = " people") -> str:
    """Some of them, and how many more there are. what: they are."""
    more = f" and {len(names) - _NAMED} more{what}" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def enrolled_index(store: Store) -> Index:
    """The active one. Raises InvalidInput where there is none."""
    active = store.active_index()
    if active is None:
        raise InvalidInput(f"nobody is enrolled in {store.where}")
    return active


def open_gallery(args: argparse.Namespace, create: bool = False) -> Store:
    """The gallery that is named; close it. Raises GalleryError, see `open_store`."""
    if not args.store:
        raise InvalidInput("--store is empty; name a file, or an address that begins with postgresql://")
    return open_store(args.store, create=create)


def tell_unknown(store: Store, collections: Sequence[str] | None) -> None:
    """Says which of these collections nobody is in, and which there are."""
    known = store.collections()
    unknown = [name for name in dict.fromkeys(collections or ()) if name not in known]
    if unknown:
        there = f"; there are {', '.join(known)}" if known else ""
        console.message(f"nobody is in collection {' or '.join(map(repr, unknown))} of {store.where}{there}")


def register_of(store: Store, args: argparse.Namespace) -> Register:
    """Who is in it, for faces that a server recognised."""
    return Register(store, random_weights=args.random_weights)
