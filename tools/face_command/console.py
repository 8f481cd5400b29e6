"""Tables and progress bars: with rich where it is installed and a person looks on, plain text otherwise.

Results go to stdout; messages and bars go to stderr.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Sequence
from typing import TypeVar

try:
    import rich
    import rich.console
    import rich.progress
    import rich.table
    import rich.text
except ImportError:
    HAS_RICH = False
else:
    HAS_RICH = True

Item = TypeVar("Item")


def message(text: str) -> None:
    """One line to the person at the terminal."""
    print(text, file=sys.stderr)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for a terminal, once all rows are there; for a pipe, lines with tabs, each at once."""
    if not (HAS_RICH and sys.stdout.isatty()):
        print("\t".join(header), flush=True)
        for row in rows:
            print("\t".join(row), flush=True)
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
) -> Generator[Item, None, None]:
    """The items; on stderr a bar shows how many of `total` have been taken, where a person sees it.

    total: None where nobody knows. bar_fits: False where results are being written to the same terminal.
    done: how many of `total` an earlier run has taken. what, rate: the items' name, and the unit of their speed.
    """
    if not sys.stderr.isatty() or not bar_fits or (total is not None and total < 2):
        yield from items
    elif HAS_RICH:
        yield from _with_bar(items, total, done, what, rate)
    else:
        yield from _with_line(items, total, done, what, rate)


def _with_bar(items: Iterable[Item], total: int | None, done: int, what: str, rate: str) -> Generator[Item, None, None]:
    # stdout holds results: left to itself rich sends it where the bar is.
    bar = rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[rate]}"),
        console=rich.console.Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
    with bar:
        task = bar.add_task(what, total=total, completed=done, rate="")
        for item in items:
            yield item
            bar.advance(task)
            if speed := bar.tasks[0].speed:
                bar.update(task, rate=f"{speed:.1f}{rate}")


def _with_line(
    items: Iterable[Item], total: int | None, done: int, what: str, rate: str
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
            _overwrite(f"{what}: {done + count}{of}, {speed:.1f}{rate}{left}")
    finally:
        _overwrite("")


def _overwrite(text: str) -> None:
    print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)
