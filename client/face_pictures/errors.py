"""The roots of the errors that callers see; `face_client.errors` has the whole tree and what it means."""

from __future__ import annotations

import re


class FaceError(Exception):
    """Base of everything that this package raises on purpose.

    request_id: what the server's log calls the request that failed; None where none was sent.
    """

    request_id: str | None = None


class InvalidInput(FaceError):
    """The request breaks the contract: a tensor, an image or a parameter is wrong."""


class InvalidImage(InvalidInput):
    """Bytes or an image object that give no RGB picture, or one with more pixels than allowed."""


class TooManyPixels(InvalidImage):
    """A picture with more pixels than allowed; it was not decoded."""


# The words of face_pictures for a file, and of the server for pixels and for several pictures in a request: by them a
# caller tells a server's refusal of a picture from others.
_TOO_MANY_PIXELS = re.compile(r"^(encoded_)?image has (more than \d+|(\d+ times )?\d+x\d+( = \d+)?) pixels\b")
_UNREADABLE = re.compile(
    r"^encoded_image (is empty|is not a picture|is damaged or truncated|is an? [A-Z]+ (file, which|of a kind)"
    r"|has a part with more pixels)"
)


def picture_error(message: str) -> InvalidImage | None:
    """The error that a sentence speaks of, where it is one of this package's about a picture, else None."""
    if _TOO_MANY_PIXELS.match(message):
        return TooManyPixels(message)
    return InvalidImage(message) if _UNREADABLE.match(message) else None
