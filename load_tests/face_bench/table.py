"""A table of strings, and what its cells share."""

from collections.abc import Iterable, Mapping
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
    return "–" if value is None else format(value, spec)


def all_keys(parts: Iterable[Mapping[str, float]]) -> list[str]:
    """All keys, each once, in the order of their first use."""
    return list(dict.fromkeys(key for part in parts for key in part))
