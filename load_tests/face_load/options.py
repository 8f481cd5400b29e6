"""The options that our locust file adds to locust's own, and how their texts are read.

Whoever imports this imports no locust, which would change the whole process (gevent).
"""

import argparse
import re
from collections.abc import Callable
from typing import Any

from face_bench import BenchError
from face_bench.pictures import MAX_PHOTOS
from face_bench.wire import FORMATS
from face_client.options import DEFAULT_TIMEOUT_S
from face_command.arguments import number, whole
from face_load.schedule import KINDS, POISSON, parse_stages

DEFAULT_SIZES = "1920x1080,1280x720,960x540,640x360"

_SIZE = re.compile(r"([0-9]{1,4})x([0-9]{1,4})")
_MIN_SIDE, _MAX_SIDE = 12, 8192


_NUMBERS = {
    "rate": number(0, 10_000),
    "think": number(0, 3600),
    "bad_share": number(0, 1),
    "deadline": number(0.001, 3600),
}


def add_options(parser: Any) -> None:
    """The type of each stays that of its default: locust's web page gives strings and keeps it."""
    add = parser.add_argument_group("Faces").add_argument
    add(
        "--rate",
        type=_NUMBERS["rate"],
        default=0.0,
        metavar="R",
        help="open loop: each user sends so many requests a second, whatever becomes of those before. "
        "0: closed loop, each user waits for an answer before the next request (default)",
    )
    add(
        "--arrivals",
        choices=KINDS,
        default=POISSON,
        help="gaps between requests in an open loop (default: %(default)s)",
    )
    add(
        "--think",
        type=_NUMBERS["think"],
        default=0.0,
        metavar="S",
        help="closed loop: seconds from an answer to the next request (default: %(default)g)",
    )
    add_stages(add, "--users and --run-time")
    add_sizes(add, "of a generated picture with twelve faces (default: %(default)s)")
    add("--photos", default="", metavar="DIR", help=f"send these photos instead, at most {MAX_PHOTOS}")
    add(
        "--formats",
        type=_checked(parse_formats),
        default=",".join(FORMATS),
        metavar="F,F",
        help="send pixels, files or both (default: %(default)s)",
    )
    add_bad_share(add, default=0.0)
    add(
        "--deadline",
        type=_NUMBERS["deadline"],
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="a caller gives up so many seconds after its request was due (default: %(default)g)",
    )
    add(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=1,
        metavar="N",
        help="of arrivals and choices (default: %(default)s)",
    )
    add("--samples", default="", metavar="PREFIX", help="write every request to PREFIX_requests.csv")


def numbers(options: argparse.Namespace) -> dict[str, float]:
    """The numbers among the options by name, checked again: what the web page gives has passed no parser.

    Raises BenchError.
    """
    try:
        return {name: read(str(getattr(options, name))) for name, read in _NUMBERS.items()}
    except argparse.ArgumentTypeError as error:
        raise BenchError(str(error)) from error


# Those that our own command has as well. add: `add_argument` of a parser.


def add_stages(add: Callable[..., Any], instead_of: str) -> None:
    add(
        "--stages",
        type=_checked(parse_stages),
        default="",
        metavar="STAGES",
        help=f"users over time, instead of {instead_of}: USERS@SECONDS holds, FROM-TO@SECONDS ramps. "
        "1-20@30,20@60,60@10,20@30 is a ramp, a hold, a spike and a hold",
    )


def add_sizes(add: Callable[..., Any], text: str) -> None:
    add("--sizes", type=_checked(parse_sizes), default=DEFAULT_SIZES, metavar="WxH,…", help=text)


def add_bad_share(add: Callable[..., Any], default: float) -> None:
    add(
        "--bad-share",
        type=_NUMBERS["bad_share"],
        default=default,
        metavar="P",
        help="share of requests that are wrong on purpose and must be refused (default: %(default)g)",
    )


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """A type for a text that stays what it was, once `parse` has read it (or raised ValueError); nothing is nothing."""

    def check(text: str) -> str:
        try:
            if text:
                parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text

    return check


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """(width, height) of each. Raises ValueError with a sentence."""
    return [_size(part.strip()) for part in text.split(",")]


def _size(text: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text)
    sides = [int(side) for side in found.groups()] if found else []
    if not sides or min(sides) < _MIN_SIDE or max(sides) > _MAX_SIDE:
        raise ValueError(f"size {text!r} must be WIDTHxHEIGHT, {_MIN_SIDE} to {_MAX_SIDE} pixels each")
    return sides[0], sides[1]


def parse_formats(text: str) -> list[str]:
    """Raises ValueError with a sentence."""
    formats = [part.strip() for part in text.split(",")]
    if not set(formats) <= set(FORMATS):
        raise ValueError(f"formats are {text!r}, must be of {', '.join(FORMATS)}")
    return formats
