"""Ctrl-C and the other signals that ask a command to end, for commands that have files to complete."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

# Ctrl-C; `docker stop`, systemd and `timeout`; a terminal that was closed.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked for the end. status: what a shell reports for a process that ended by it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


class Interrupts:
    """A context in which these signals raise Interrupted, but not within `held`, and are never lost.

    Python raises it between any two steps, also where nobody can catch it, such as in a destructor, which drops it.
    In the main thread only, as signals are.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._is_held = False
        self._handlers: dict[int, Any] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """For what must not be left half done: a signal, also an earlier one that was lost, is raised at the end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._number is not None:
            raise Interrupted(self._number)

    def __enter__(self) -> Self:
        for number in _ENDING:
            # `nohup` has it ignored.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        # Compiled code that waits, as Ray's does, may raise one of its own in the place of ours.
        if type(error) is KeyboardInterrupt and self._number is not None:
            raise Interrupted(self._number) from error

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
        if not self._is_held:
            raise Interrupted(number)
