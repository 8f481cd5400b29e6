"""Errors of the launcher.

ServerError
├── SetupError    something this machine lacks: a package, a shared library, a free port, an exported model
├── StartError    Triton started and gave up; the message holds Triton's own reason
└── GaveUp        Triton had to be started again too often
"""


class ServerError(Exception):
    """Base of all errors raised by `face_server`."""


class SetupError(ServerError):
    """Something that must be there before Triton can start."""


class StartError(ServerError):
    """Triton did not become ready."""


class GaveUp(ServerError):
    """The supervisor started Triton again and again, to no avail."""
