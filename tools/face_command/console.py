"""Tables and progress bars: with rich where it is installed and a person looks on, plain text otherwise.

Results go to stdout; messages and bars go to stderr.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

try:
    import rich
    import rich.cells
    import rich.console
    import rich.progress
    import rich.table
    import rich.text
except ImportError:
    HAS_RICH = False
else:
    HAS_RICH = True

Item = TypeVar("Item")

# Of a column that shares what is left; a narrower terminal breaks lines.
_NARROWEST = 16


def message(text: str) -> None:
    """One line to the person at the terminal."""
    print(text, file=sys.stderr)


class StdoutError(OSError):
    """Standard output cannot be written: the disk below it is full."""


def line(text: str) -> None:
    """One line of results on stdout, at once. Raises StdoutError."""
    with _stdout_errors():
        print(text, flush=True)


def flush() -> None:
    """All that was printed is on stdout. Raises StdoutError."""
    with _stdout_errors():
        sys.stdout.flush()


@contextmanager
def _stdout_errors() -> Iterator[None]:
    """StdoutError where stdout cannot be written; what it still holds is dropped then."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise StdoutError(error.errno, error.strerror, "standard output") from error


def drop_stdout() -> None:
    """Whatever is written to stdout from here on, and what waits to be, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Column(NamedTuple):
    """Of a table that grows. width: of its cells; None for a share of what the terminal has left."""

    title: str
    width: int | None = None


def print_as_they_come(columns: Sequence[Column], rows: Iterable[Sequence[str]], header: bool = True) -> None:
    """Rows as they come: for a terminal in columns, where long cells keep their ends; for a pipe with tabs. header:
    their titles above; False where the table was begun before."""
    titles = [[column.title for column in columns]] if header else []
    if not sys.stdout.isatty():
        for row in itertools.chain(titles, rows):
            line("\t".join(row))
        return
    widths = _widths(columns, shutil.get_terminal_size().columns)
    for row in itertools.chain(titles, rows):
        line("  ".join(cell_of(text, width) for text, width in zip(row, widths)).rstrip())


def _widths(columns: Sequence[Column], terminal: int) -> list[int]:
    fixed = sum(column.width or 0 for column in columns) + 2 * (len(columns) - 1)
    shared = max(_NARROWEST, (terminal - fixed) // max(1, sum(column.width is None for column in columns)))
    return [shared if column.width is None else column.width for column in columns]


def cell_of(text: str, width: int) -> str:
    """The text in so many cells of a terminal; of one that is too long the end, which tells more of a path."""
    # A file's name may hold anything: also what moves the cursor.
    text = "".join(character if character.isprintable() else "?" for character in text)
    if _cells(text) > width:
        while _cells(text) > width - 1:
            text = text[max(1, (_cells(text) - width) // 2) :]
        text = f"…{text}"
    return text + " " * (width - _cells(text))


def _cells(text: str) -> int:
    """Cells that a text takes at a terminal, where one letter may take two; rich knows which."""
    return rich.cells.cell_len(text) if HAS_RICH else len(text)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for a terminal, once all rows are there; for a pipe, lines with tabs, each at once."""
    if not (HAS_RICH and sys.stdout.isatty()):
        line("\t".join(header))
        for row in rows:
            line("\t".join(row))
        return
    table = rich.table.Table(*header)
    for row in rows:
        # Text, not markup: a file may be called "[red].jpg".
        table.add_row(*(rich.text.Text(cell) for cell in row))
    rich.console.Console().print(table)


def tracked(
    items: Iterable[Item],
    total: int | None,
    bar_fits: bool = True,
    done: int = 0,
    what: str = "pictures",
    rate: str = "/s",
    note: Callable[[], str] = str,
) -> Generator[Item, None, None]:
    """The items; on stderr a bar shows how many of `total` have been taken, where a person sees it.

    total: None where nobody knows. bar_fits: False where results are being written to the same terminal.
    done: how many of `total` an earlier run has taken. what, rate: the items' name, and the unit of their speed.
    note: says more of what was taken, behind the speed.
    """
    if not sys.stderr.isatty() or not bar_fits or (total is not None and total < 2):
        yield from items
    elif HAS_RICH:
        yield from _with_bar(items, total, done, what, rate, note)
    else:
        yield from _with_line(items, total, done, what, rate, note)


def _with_bar(
    items: Iterable[Item], total: int | None, done: int, what: str, rate: str, note: Callable[[], str]
) -> Generator[Item, None, None]:
    # Lines of results on the same terminal go above the bar; else stdout is no business of its.
    bar = rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[rate]}"),
        console=rich.console.Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=total, completed=done, rate="")
        for item in items:
            yield item
            bar.advance(task)
            if speed := bar.tasks[0].speed:
                bar.update(task, rate=f"{speed:.1f}{rate} {note()}".rstrip())


def _with_line(
    items: Iterable[Item], total: int | None, done: int, what: str, rate: str, note: Callable[[], str]
) -> Generator[Item, None, None]:
    """A line that is written anew every second."""
    start = shown = time.monotonic()
    try:
        for count, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - shown < 1:
                continue
            shown, speed = now, count / (now - start)
            of = "" if total is None else f"/{total}"
            left = "" if total is None else f", {max(0, total - done - count) / speed:.0f} s left"
            _overwrite(f"{what}: {done + count}{of}, {speed:.1f}{rate}{left} {note()}".rstrip())
    finally:
        _overwrite("")


def _overwrite(text: str) -> None:
    print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)
