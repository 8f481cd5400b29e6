"""Among whom of a gallery a face is looked for: options of `faces gallery`, and of verbs with `--gallery`. They need no
`face_gallery`: help must work without the extra."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from face_client.errors import InvalidInput
from face_command.arguments import Scalar, key_and_value, number
from face_tools.connection import add_random_weights

if TYPE_CHECKING:
    from face_gallery.register import Register


def add_choice(parser: argparse._ActionsContainer) -> None:
    """--collection and --where: among whom; `listed` reads the latter."""
    parser.add_argument(
        "--collection",
        action="append",
        dest="collections",
        metavar="NAME",
        help="only people of this collection; may be given several times (all)",
    )
    parser.add_argument(
        "--where",
        action="append",
        type=key_and_value,
        default=[],
        metavar="KEY=VALUE",
        help="only people whose metadata has this; may be given several times",
    )


def add_deciding(parser: argparse._ActionsContainer) -> None:
    """--threshold."""
    parser.add_argument(
        "--threshold",
        type=number(above=0, high=2),
        metavar="D",
        help="distance below which a face is a person's (the gallery's calibrated one, or else the literature's)",
    )


def add_people(parser: argparse._ActionsContainer) -> None:
    """All of a verb with --gallery about its people."""
    add_choice(parser)
    add_deciding(parser)
    add_random_weights(parser)


@contextmanager
def register_of_gallery(args: argparse.Namespace) -> Iterator[Register]:
    """Who is in the gallery that --gallery names, for as long as the block lasts. Raises GalleryError."""
    # Not at the top: see above.
    from face_gallery.opening import open_store
    from face_gallery.register import Register

    with open_store(args.gallery, create=False) as store:
        yield Register(store, random_weights=args.random_weights)


def check_gallery_given(args: argparse.Namespace) -> None:
    """Raises InvalidInput where people are to be chosen, and there is no --gallery to choose them from."""
    given = [
        flag
        for flag, value in (
            ("--collection", args.collections),
            ("--where", args.where),
            ("--threshold", args.threshold is not None),
            ("--random-weights", args.random_weights),
        )
        if value
    ]
    if args.gallery is None and given:
        raise InvalidInput(f"{', '.join(given)} is about the people of a gallery: name it with --gallery")


def listed(values: Sequence[tuple[str, Scalar]]) -> dict[str, Scalar]:
    """KEY=VALUE of an option that may be given several times. Raises InvalidInput for a key that comes twice."""
    found: dict[str, Scalar] = {}
    for key, value in values:
        if key in found:
            raise InvalidInput(f"{key!r} is given twice, with {found[key]!r} and {value!r}")
        found[key] = value
    return found
