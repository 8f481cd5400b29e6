"""A table of strings, and what its cells share."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """The first `labels` columns are words, the others numbers. notes: what a reader must know beside it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    notes: tuple[str, ...] = ()


def optional(value: float | None, spec: str) -> str:
    """A dash for a number that does not exist: None or NaN."""
    return "–" if value is None or math.isnan(value) else format(value, spec)


def all_keys(parts: Iterable[Mapping[str, float]]) -> list[str]:
    """All keys, each once, in the order of their first use."""
    return list(dict.fromkeys(key for part in parts for key in part))


def errors_text(errors: Mapping[str, int]) -> str:
    """How many of each kind; 0 for none."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(errors.items())) or "0"


def markdown_lines(table: Table) -> list[str]:
    """The table in markdown, line by line; none where it has no rows."""
    if not table.rows:
        return []
    rule = ["---" if n < table.labels else "---:" for n in range(len(table.header))]
    return [_line(row) for row in (table.header, rule, *table.rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
