"""Errors of the load tests."""


class LoadError(Exception):
    """The load test cannot go on; the message says what to do."""
