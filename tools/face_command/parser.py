"""The parser of every command: takes options by their whole names only, complains with the usage of the command that
was called, and fits its help to the terminal."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

# Where a line of an example may be broken: before an option.
_OPTION = re.compile(r" (?=--)")
_QUOTED = re.compile("`[^`]+`")
_SHELL_BREAK = " \\"

# How far to the right the comments of examples go on.
_FAR = " " * 16


class Help(argparse.HelpFormatter):
    """Descriptions and epilogs keep their lines as far as these fit: paragraphs are filled, and of an indented line, an
    example, the comment goes below."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for paragraph in _paragraphs(text):
            if all(line.startswith(" ") for line in paragraph):
                fits = all(len(line) <= width for line in paragraph)
                lines += paragraph if fits else _example(paragraph, width)
            else:
                # A command in a sentence stays in one piece.
                words = _QUOTED.sub(lambda found: found.group().replace(" ", "\xa0"), " ".join(paragraph))
                filled = textwrap.wrap(words, width, break_on_hyphens=False) or [""]
                lines += [line.replace("\xa0", " ") for line in filled]
        return "".join(f"{indent}{line}\n" for line in lines)


def _paragraphs(text: str) -> list[list[str]]:
    """Lines that belong together: unindented ones, an example and what is far to its right below it."""
    found: list[list[str]] = []
    before: str | None = None
    for line in text.rstrip("\n").split("\n"):
        kind = "" if not line else "more" if line.startswith(_FAR) else "example" if line.startswith(" ") else "words"
        if (kind == "words" and before == "words") or (kind == "more" and before in ("example", "more")):
            found[-1].append(line)
        else:
            found.append([line])
        before = kind
    return found


def _example(lines: list[str], width: int) -> list[str]:
    """A command that does not fit with, behind two spaces or more, what it does."""
    first = lines[0]
    start = first[: len(first) - len(first.lstrip())]
    command, *comment = re.split(r" {2,}", first.strip(), maxsplit=1)
    rows = [start]
    for part in _OPTION.split(command):
        if len(rows[-1]) + len(part) + len(_SHELL_BREAK) > width and rows[-1].strip():
            rows[-1] = rows[-1].rstrip() + _SHELL_BREAK
            rows.append(f"{start}    ")
        rows[-1] += f"{part} "
    below = f"{start}    "
    words = " ".join([*comment, *(line.strip() for line in lines[1:])])
    rows += textwrap.wrap(words, width, initial_indent=below, subsequent_indent=below)
    return [row.rstrip() for row in rows]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with these manners. Its subparsers have them too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # A script that says --max must not mean another option once there is a second one that begins like this.
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", Help)
        super().__init__(*args, **options)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Complains here of what nobody knows: left to argparse, the outermost parser would, with its own usage."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown[0])}")
        return parsed, unknown

    def _meant(self, unknown: str) -> str:
        """A guess at what is wrong: which option was meant, or that argparse wants all words in a row."""
        name = unknown.split("=")[0]
        takes_many = any(action.nargs in ("*", "+") for action in self._get_positional_actions())
        if takes_many and (unknown == "-" or not unknown.startswith("-")):
            return "; names and paths must follow one another, with all options before or behind them"
        known = [option for option in self._option_string_actions if option.startswith("--")]
        if not name.startswith("--"):
            return ""
        close = [option for option in known if option.startswith(name)] or get_close_matches(name, known, 1)
        return f"; did you mean {' or '.join(close)}?" if close else ""
