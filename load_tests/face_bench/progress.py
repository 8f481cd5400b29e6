"""What the benchmark is doing, on stderr: a line for every part, and a bar where a person looks on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

_console = Console(stderr=True)


def say(text: str) -> None:
    """One line that stays."""
    # Text, not markup: it may hold somebody's file name or error message.
    _console.print(Text(text), soft_wrap=True)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for as long as the block lasts; gives a function that is told how many are done."""
    say(what)
    columns = (TextColumn("  "), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console, transient=True, disable=not _console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def activity(what: str) -> Iterator[Callable[[str], None]]:
    """For work of unknown length: gives a function that shows its latest line."""
    say(what)
    if not _console.is_terminal:
        yield lambda _line: None
        return
    with _console.status("") as status:
        yield lambda line: status.update(Text(line[: _console.width - 4], style="dim"))
