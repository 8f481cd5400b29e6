"""What a gateway refuses by itself, as branches of the client's tree (`face_client.errors`).

FaceError
  InvalidInput
    InvalidBody         a body that is none of the three kinds
      UnsupportedBody   its Content-Type says so
    BodyTooLarge        more bytes than allowed; it was not read
    BodyTooSlow         it did not arrive in time
    HeaderTooLarge      more bytes than allowed
  NotLetIn
    KeyNeeded           no API key, or one that is not known
    NotAllowed          the key may do other things; the page that asks is of another site
  TooManyRequests       of this key, or of all callers together
  NoSuchPath            nothing is there
    NoSuchMethod        something is, and takes other methods
"""

from __future__ import annotations

from face_client.errors import FaceError, InvalidInput


class InvalidBody(InvalidInput):
    """Neither a form nor a picture nor JSON, or damaged."""


class UnsupportedBody(InvalidBody):
    """A Content-Type that is not read."""


class BodyTooLarge(InvalidInput):
    """More bytes than allowed."""


class BodyTooSlow(InvalidInput):
    """It did not arrive in time."""


class HeaderTooLarge(InvalidInput):
    """More bytes than allowed."""


class NotLetIn(FaceError):
    """Who asks may not."""


class KeyNeeded(NotLetIn):
    """No API key, or one that is not known."""


class NotAllowed(NotLetIn):
    """The key, or the page that asks, may not do that."""


class TooManyRequests(FaceError):
    """More than the caller, or all callers together, may ask at a time. after: seconds until another may be let in."""

    def __init__(self, message: str, after: float = 1.0) -> None:
        super().__init__(message)
        self.after = after


class NoSuchPath(FaceError):
    """Nothing is there."""


class NoSuchMethod(NoSuchPath):
    """Something is there, and takes other methods. allow: which, as the header has them."""

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow
