"""Which verbs are installed: every distribution names its own in one group of entry points."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

_GROUP = "faces.commands"


def verb_entry_points() -> list[EntryPoint]:
    """Those of all verbs."""
    if sys.version_info >= (3, 10):
        return list(entry_points(group=_GROUP))
    return list(entry_points().get(_GROUP, []))


def has_verb(name: str) -> bool:
    """Whether a hint may name `faces NAME`: where only the client's commands are installed, it would be in vain."""
    return any(point.name == name for point in verb_entry_points())
