"""Errors of the benchmark."""


class BenchError(Exception):
    """The benchmark cannot go on; the message says what to do."""


class PeerError(Exception):
    """A peer cannot be installed, started or asked; the benchmark goes on without it."""
