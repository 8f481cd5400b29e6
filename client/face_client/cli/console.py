"""Tables and progress bars: with rich where it is installed and a person looks on, plain text otherwise.

Results go to stdout; messages and bars go to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
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


def tracked(items: Iterable[Item], total: int, bar_fits: bool = True) -> Iterator[Item]:
    """The items; on stderr a bar shows how many of `total` have been taken, where a person sees it.

    bar_fits: False where results are being written to the same terminal.
    """
    if not (HAS_RICH and sys.stderr.isatty() and bar_fits and total > 1):
        yield from items
        return
    # stdout holds results: left to itself rich sends it where the bar is.
    bar = rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
    with bar:
        task = bar.add_task("pictures", total=total)
        for item in items:
            yield item
            bar.advance(task)
