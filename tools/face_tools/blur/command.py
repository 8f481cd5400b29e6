"""`faces blur`: pictures and videos without faces, and without what their files say beside."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from face_client.errors import InvalidInput
from face_command import outputs
from face_command.arguments import number
from face_tools import need_extra
from face_tools.blur.carrying import HOLD_S
from face_tools.blur.covering import GROW, METHODS, SHAPES, Style
from face_tools.blur.files import Plan, plan
from face_tools.blur.photos import blur_photos
from face_tools.blur.selecting import RECALL, Everybody, Selection
from face_tools.blur.videos import blur_videos
from face_tools.choosing import add_people, check_gallery_given, listed, register_of_gallery
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    OF_DETECTION,
    add_connection,
    add_max_side,
    add_parameters,
    add_patience,
    in_one_line,
)
from face_tools.video.options import add_encoding, add_stride

HELP = "cover the faces in pictures and videos, and drop their metadata"

_EPILOG = """\
examples:
  faces blur photo.jpg out/                         out/photo.jpg
  faces blur photo.jpg anonymous.png                a file of another name
  faces blur holiday/ out/ --method mask            pictures and videos; the same folders in out/ as in holiday/
  faces blur clip.mp4 anonymous.mp4 --no-sound      a voice is a person too
  faces blur party/ out/ --gallery people.gallery --but Ada --but Ben
  faces blur holiday/ out/ --rotations --json > covered.jsonl

Every face is covered that the detector finds, and it is asked to find too much; what it misses stays. Look at what you
publish. Nothing of the original file is kept but pixels, and a video's sound. A picture without a face is written too,
and named. What fails is not written. Files of an earlier run are replaced, and no others unless --force is given.

exit status: 0 everything was written, 1 something was not, or not whole, 2 wrong usage, 3 no server,
130 after Ctrl-C, 143 after SIGTERM
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces blur`."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a picture, a video, a folder to search for them, or - for stdin"
    )
    parser.add_argument("out", metavar="OUT", help="the folder to write to; or of one file, the file")
    parser.add_argument("--json", action="store_true", help="one JSON object a picture or frame, instead of the table")
    parser.add_argument("--no-mark", action="store_true", help="do not even write that this command made the file")
    outputs.add_force(parser)
    _add_covering(parser)
    _add_people(parser)
    _add_videos(parser)
    add_max_side(parser, "pictures and frames")
    add_connection(parser)
    add_patience(parser)
    # None of the parameters that leave faces out.
    add_parameters(parser, OF_DETECTION, own=RECALL)


def _add_covering(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how a face is covered")
    group.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="blur and pixelate keep the averages of a few cells of a face, mask keeps nothing (%(default)s)",
    )
    group.add_argument("--shape", choices=SHAPES, default=SHAPES[0], help="of what is covered (%(default)s)")
    group.add_argument(
        "--grow",
        type=number(0),
        default=GROW,
        metavar="X",
        help="share of a face's width and height that is covered around it as well (%(default)g)",
    )


def _add_people(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("whose faces (everybody's)")
    group.add_argument(
        "--gallery", metavar="WHERE", help="who is known: a gallery's file, or postgresql://HOST/DATABASE"
    )
    for flag, text in (
        ("--only", "cover this person of the gallery, and nobody else; may be given several times"),
        ("--but", "cover everybody but this person of the gallery; may be given several times"),
    ):
        group.add_argument(flag, action="append", default=[], metavar="NAME", help=text)
    add_people(group)


def _add_videos(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("videos")
    group.add_argument(
        "--hold",
        type=number(0),
        default=HOLD_S,
        metavar="S",
        help="seconds that a face stays covered before it is first found and after it was last (%(default)g)",
    )
    add_stride(group)
    group.add_argument("--no-sound", action="store_true", help="leave the sound out")
    add_encoding(group)


def run(args: argparse.Namespace) -> int:
    """Cover and write; returns the exit status."""
    for name, value in RECALL.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return in_one_line("blur", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    todo = plan(args.paths, args.out, args.force)
    if todo.videos:
        need_extra("video")
    with _selection(args) as selection:
        return _blur(todo, args, selection)


def _blur(todo: Plan, args: argparse.Namespace, selection: Selection) -> int:
    style, status = Style(args.method, args.shape, args.grow), EXIT_OK
    if todo.pictures:
        status = blur_photos(todo, args, style, selection)
    if todo.videos and status in (EXIT_OK, EXIT_SOME_FAILED):
        status = blur_videos(todo, args, style, selection, has_header=bool(todo.pictures)) or status
    return status


@contextmanager
def _selection(args: argparse.Namespace) -> Iterator[Selection]:
    """Whose faces are covered. Raises InvalidInput, GalleryError."""
    check_gallery_given(args)
    if bool(args.only) + bool(args.but) != (args.gallery is not None):
        raise InvalidInput("--gallery says who is known, and either --only or --but who of them; give both or neither")
    if args.gallery is None:
        yield Everybody()
        return
    need_extra("gallery")
    # Not at the top: who covers everybody has no need of galleries.
    from face_tools.blur.people import But, Only

    with register_of_gallery(args) as register:
        yield (Only if args.only else But)(
            register, args.only or args.but, args.threshold, collections=args.collections, where=listed(args.where)
        )
