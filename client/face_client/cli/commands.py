"""Where the verbs of `faces` come from."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

ENTRY_POINT_GROUP = "faces.commands"

_BUILT_IN = {
    "cluster": "face_client.cli.cluster",
    "compare": "face_client.cli.compare",
    "crop": "face_client.cli.crop",
    "detect": "face_client.cli.detect",
    "evaluate": "face_client.cli.evaluate",
    "protos": "face_client.cli.protos",
    "recognize": "face_client.cli.recognize",
    "video": "face_client.cli.video",
}

# What importing somebody's module raises when their installation is not whole: a package that is missing or
# too old, a shared library that does not load, source for another Python.
_IMPORT_ERRORS = (ImportError, AttributeError, OSError, SyntaxError, RuntimeError, TypeError, ValueError)


class CommandModule(Protocol):
    """What a verb's module offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit status."""


@dataclass(frozen=True)
class Unavailable:
    """Stands for a module that could not be imported. reason: one line."""

    reason: str


@dataclass(frozen=True)
class Command:
    """A verb and its module, imported."""

    name: str
    module: CommandModule | Unavailable


def find_commands(wanted: str | None = None) -> list[Command]:
    """The verbs, or only the one that is wanted: to run one, no other's imports need to be waited for."""
    loaders: dict[str, Callable[[], object]] = {point.name: point.load for point in _entry_points()}
    for name, module in _BUILT_IN.items():
        loaders[name] = partial(importlib.import_module, module)
    names = [wanted] if wanted in loaders else sorted(loaders)
    return [Command(name, _load(loaders[name])) for name in names]


def _load(loader: Callable[[], object]) -> CommandModule | Unavailable:
    try:
        module = loader()
    except _IMPORT_ERRORS as error:
        return Unavailable(" ".join(str(error).split()) or type(error).__name__)
    absent = [name for name in ("HELP", "add_arguments", "run") if not hasattr(module, name)]
    if absent:
        return Unavailable(f"its module has no {', '.join(absent)}")
    return cast(CommandModule, module)


def _entry_points() -> list[EntryPoint]:
    if sys.version_info >= (3, 10):
        return list(entry_points(group=ENTRY_POINT_GROUP))
    return list(entry_points().get(ENTRY_POINT_GROUP, []))
