"""Types of command-line arguments, for argparse: numbers in a range, files, KEY=VALUE. The one home of their messages.

argparse prints what a type raises behind the option's name: `argument --timeout: 'nan' is not a number above 0`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Union

Scalar = Union[str, int, float, bool]


def whole(low: int = 0, high: int | None = None) -> Callable[[str], int]:
    """An argument type: a whole number in decimal digits, from `low` to `high` inclusive."""
    limits = f"of at least {low}" if high is None else f"from {low} to {high}"

    def whole_number(text: str) -> int:
        digits = text[1:] if text[:1] in ("+", "-") else text
        # Not int() alone: it takes 1_000 and Arabic digits, and refuses thousands of digits in its own words.
        value = int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
        if value is None or value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
        return value

    return whole_number


def number(
    low: float | None = None, high: float | None = None, *, above: float | None = None
) -> Callable[[str], float]:
    """An argument type: a finite number, from `low` to `high` inclusive, or greater than `above`."""
    limits = ""
    if above is not None:
        limits = f" above {above:g}" + ("" if high is None else f" and at most {high:g}")
    elif low is not None:
        limits = f" of at least {low:g}" if high is None else f" from {low:g} to {high:g}"
    elif high is not None:
        limits = f" of at most {high:g}"

    def finite_number(text: str) -> float:
        try:
            # As for whole numbers: float() takes 1_000 and Arabic digits too.
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        within = (
            math.isfinite(value)
            and (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
        )
        if not within:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number{limits}")
        return value

    return finite_number


def readable_file(text: str) -> str:
    """An argument type: the path of a file that can be opened."""
    try:
        with Path(text).open("rb"):
            return text
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read: {error.strerror}") from error


def existing_folder(text: str) -> Path:
    """An argument type: the path of a folder."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


def key_and_value(text: str) -> tuple[str, Scalar]:
    """An argument type: KEY=VALUE. A value that is a number, true or false in JSON is one; else it is text, as it is in
    quotes."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    try:
        parsed = json.loads(value, parse_constant=str)
    except ValueError:
        return key, value
    return key, parsed if isinstance(parsed, (str, int, float, bool)) else value
