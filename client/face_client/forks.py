"""What a forked process may not take over: locks that threads of its parent may have held, and connections.

gunicorn --preload, multiprocessing.Pool and data loaders fork processes that have used a client. A client, and whatever
stands in for another package, goes on in the child: it starts there without connections, and with new locks.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Has something that a child must not use."""

    def renew(self) -> None:
        """Make new what a forked process cannot use; called in it before anything else runs there."""


_LIVING: weakref.WeakSet[Forked] = weakref.WeakSet()


def renew_in_children(thing: Forked) -> None:
    """Call the thing's `renew` in every process that is forked while it lives."""
    _LIVING.add(thing)


def _renew_all() -> None:
    for thing in list(_LIVING):
        thing.renew()


# Windows does not fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
