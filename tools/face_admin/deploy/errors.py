"""Errors of `faces deploy`.

DeployError
├── ControlError     the server cannot be reached, or refused what it was told, with its reason
├── GateClosed       the candidate was compared, and is not good enough
└── SwitchFailed     the server did not take the candidate; it answers as before

Each message is one sentence, or a list of them, for the person at the command line.
"""


class DeployError(Exception):
    """Base of all errors raised by `face_admin.deploy`; nothing was changed."""


class ControlError(DeployError):
    """Triton's model control did not do what it was asked for."""


class GateClosed(DeployError):
    """The candidate fails the gate."""


class SwitchFailed(DeployError):
    """The switch was begun and taken back."""
