"""Ctrl-C at a moment that suits."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Interrupts:
    """A context in which Ctrl-C raises KeyboardInterrupt, but not within `held`, and is never lost.

    Python raises it between any two steps, also where nobody can catch it, such as in a destructor, which drops it.
    In the main thread only, as signals are.
    """

    def __init__(self) -> None:
        self._interrupted = False
        self._is_held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """For what must not be left half done: Ctrl-C, also an earlier one that was lost, is raised at the end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._interrupted:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._handler: Any = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._handler)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        if not self._is_held:
            raise KeyboardInterrupt
