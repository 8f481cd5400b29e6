"""The options that our locust file adds to locust's own."""

from typing import Any

from face_bench.pictures import MAX_PHOTOS
from face_client.options import DEFAULT_TIMEOUT_S
from face_load import stages
from face_load.argument_types import checked, number
from face_load.arrivals import KINDS, POISSON
from face_load.traffic import FORMATS

DEFAULT_SIZES = "1920x1080,1280x720,960x540,640x360"

_MIN_SIDE, _MAX_SIDE = 12, 8192


def add_options(parser: Any) -> None:
    """The type of each stays that of its default: locust's web page gives strings and keeps it."""
    add = parser.add_argument_group("Faces").add_argument
    add(
        "--rate",
        type=number(0, 10_000),
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
        type=number(0, 3600),
        default=0.0,
        metavar="S",
        help="closed loop: seconds from an answer to the next request (default: %(default)g)",
    )
    add(
        "--stages",
        type=checked(stages.parse),
        default="",
        metavar="STAGES",
        help="users over time, instead of --users and --run-time: USERS@SECONDS holds, FROM-TO@SECONDS ramps. "
        "1-20@30,20@60,60@10,20@30 is a ramp, a hold, a spike and a hold",
    )
    add(
        "--sizes",
        type=checked(parse_sizes),
        default=DEFAULT_SIZES,
        metavar="WxH,…",
        help="of a generated picture with twelve faces (default: %(default)s)",
    )
    add("--photos", default="", metavar="DIR", help=f"send these photos instead, at most {MAX_PHOTOS}")
    add(
        "--formats",
        type=checked(parse_formats),
        default=",".join(FORMATS),
        metavar="F,F",
        help="send pixels, files or both (default: %(default)s)",
    )
    add(
        "--bad-share",
        type=number(0, 1),
        default=0.0,
        metavar="P",
        help="share of requests that are wrong on purpose and must be refused (default: %(default)g)",
    )
    add(
        "--deadline",
        type=number(0.001, 3600),
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="a caller gives up so many seconds after its request was due (default: %(default)g)",
    )
    add("--seed", type=int, default=1, metavar="N", help="of arrivals and choices (default: %(default)s)")
    add("--samples", default="", metavar="PREFIX", help="write every request to PREFIX_requests.csv")


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """(width, height) of each. Raises ValueError with a sentence."""
    sizes = []
    for part in text.split(","):
        width, _, height = part.strip().partition("x")
        sides = [int(side) for side in (width, height) if side.isdecimal()]
        if len(sides) < 2 or min(sides) < _MIN_SIDE or max(sides) > _MAX_SIDE:
            raise ValueError(f"size {part!r} must be WIDTHxHEIGHT, {_MIN_SIDE} to {_MAX_SIDE} pixels each")
        sizes.append((sides[0], sides[1]))
    return sizes


def parse_formats(text: str) -> list[str]:
    """Raises ValueError with a sentence."""
    formats = [part.strip() for part in text.split(",")]
    if not set(formats) <= set(FORMATS):
        raise ValueError(f"formats are {text!r}, must be of {', '.join(FORMATS)}")
    return formats
