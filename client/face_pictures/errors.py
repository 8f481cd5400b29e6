"""The roots of the errors that callers see; `face_client.errors` has the whole tree and what it means."""

from __future__ import annotations


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
