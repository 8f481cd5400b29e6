"""Errors of the cascade.

CascadeError
└── InvalidInput    the caller's image or parameter; the message may be shown to the caller
"""


class CascadeError(Exception):
    """Base of all errors raised by `face_cascade`."""


class InvalidInput(CascadeError):
    """An image or a parameter that cannot be used: one sentence with field, value and allowed range."""
