"""What a look at one thing found."""

from dataclasses import dataclass

GOOD, NOTE, BAD = "good", "note", "bad"
"""BAD: no server starts, or none answers. NOTE: it does, and whoever reads should know."""


@dataclass(frozen=True)
class Finding:
    """check: what was looked at. advice: what to do; empty where there is nothing to do."""

    check: str
    status: str
    found: str
    advice: str = ""


def bad_if(wrong: bool, check: str, found: str, advice: str, status: str = BAD) -> Finding:
    """GOOD, or where something is wrong `status` with the advice."""
    return Finding(check, status, found, advice) if wrong else Finding(check, GOOD, found)
