"""The list of pairs of Labeled Faces in the Wild (View 2) and of sets in its format.

The first line has the number of folds and of pairs of each kind in a fold ("10  300"), or the latter alone
(View 1, one fold). Each fold is so many lines "name  n1  n2", the same person, and then as many
"name1  n1  name2  n2", two people. Source: README of the set, vis-www.cs.umass.edu/lfw/README.txt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from face_client.errors import InvalidInput

PAIRS_FILE = "pairs.txt"


class Pair(NamedTuple):
    """Two pictures by name, "person/person_0001.jpg". fold: from 0."""

    first: str
    second: str
    same: bool
    fold: int


def read_pairs(path: Path) -> list[Pair]:
    """The pairs in the order of the file. Raises InvalidInput for another format, OSError."""
    lines = [_columns(line) for line in path.read_text(encoding="utf-8").splitlines()]
    folds, each = _header(path, lines[0] if lines else [])
    body = [(number, columns) for number, columns in enumerate(lines[1:], start=2) if columns]
    if len(body) != 2 * folds * each:
        raise InvalidInput(
            f"{path} has {len(body)} pairs; its first line tells of {folds} x 2 x {each} = {2 * folds * each}"
        )
    return [_pair(path, number, columns, *divmod(i, 2 * each), each) for i, (number, columns) in enumerate(body)]


def spread(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """About `count` pairs, as many of each kind from each fold; at least one. All for None."""
    if count is None:
        return list(pairs)
    kinds = list(dict.fromkeys((pair.fold, pair.same) for pair in pairs))
    each = max(1, count // len(kinds))
    return [pair for kind in kinds for pair in [p for p in pairs if (p.fold, p.same) == kind][:each]]


def pictures_of(pairs: Sequence[Pair]) -> list[str]:
    """The names of their pictures, each once."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))


def _columns(line: str) -> list[str]:
    """By tabs where there are any: a name may hold spaces."""
    return [column.strip() for column in line.split("\t")] if "\t" in line.strip() else line.split()


def _header(path: Path, columns: Sequence[str]) -> tuple[int, int]:
    if len(columns) not in (1, 2) or not all(column.isdigit() and int(column) > 0 for column in columns):
        raise InvalidInput(f"{path} is no list of pairs: its first line must be the numbers of folds and pairs, 10 300")
    return (1, int(columns[0])) if len(columns) == 1 else (int(columns[0]), int(columns[1]))


def _pair(path: Path, number: int, columns: Sequence[str], fold: int, place: int, each: int) -> Pair:
    """place: of the pair in its fold; the first `each` are of one person."""
    same = place < each
    try:
        if same:
            name, first, second = columns
            return Pair(_picture(name, first), _picture(name, second), same, fold)
        name, first, other, second = columns
        return Pair(_picture(name, first), _picture(other, second), same, fold)
    except ValueError as error:
        wanted = "name, number, number" if same else "name, number, name, number"
        raise InvalidInput(f"{path}, line {number}: expected {wanted}, found {' '.join(columns)!r}") from error


def _picture(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"
