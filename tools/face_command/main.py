"""`faces`: one command, one module a verb.

A verb is a module with `HELP: str`, `add_arguments(parser)` and `run(args) -> int`, the exit status. Every distribution
names its own in the entry point group `faces.commands`. One that cannot be imported is listed, with the reason.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import EntryPoint, version
from typing import NamedTuple, Protocol, cast

from face_command import console
from face_command.interrupts import Interrupted
from face_command.parser import Parser
from face_command.verbs import verb_entry_points

EXIT_USAGE = 2
"""What argparse ends with too."""

_EXIT_FAILED = 1

# What a shell reports for a process that ended by SIGINT or SIGPIPE.
_EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141

# What importing somebody's module raises when their installation is not whole: a package that is missing or
# too old, a shared library that does not load, source for another Python.
_IMPORT_ERRORS = (ImportError, AttributeError, OSError, SyntaxError, RuntimeError, TypeError, ValueError)

_EPILOG = """\
examples:
  faces detect photo.jpg
  faces detect holiday/ --json --save found/
  faces detect --help
"""


class Verb(Protocol):
    """What a verb's module offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit status."""


class Unavailable(NamedTuple):
    """Stands for a module that could not be imported. reason: one line."""

    reason: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A file's name may be anything; printing it must not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = _parser(arguments).parse_args(arguments)
        status: int = args.run(args)
        console.flush()
        return status
    except Interrupted as signal:
        return signal.status
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except console.StdoutError as error:
        console.message(f"faces: {error.filename}: {error.strerror}")
        return _EXIT_FAILED
    except ImportError as error:
        # A verb may import what it needs when it runs.
        print(f"faces: a package is missing: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # `faces … | head` is no error; the interpreter's own flush at the end must not meet the pipe again.
        console.drop_stdout()
        return _EXIT_BROKEN_PIPE


def _parser(arguments: Sequence[str]) -> Parser:
    wanted = arguments[0] if arguments else None
    points = {point.name: point for point in verb_entry_points()}
    # To run one verb, no other's imports need to be waited for.
    return _parser_of([points[wanted]] if wanted in points else list(points.values()), with_arguments=wanted in points)


def whole_parser() -> Parser:
    """With all verbs and all their arguments."""
    return _parser_of(verb_entry_points(), with_arguments=True)


def _parser_of(points: Sequence[EntryPoint], with_arguments: bool) -> Parser:
    parser = Parser(prog="faces", description="Find faces in pictures.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"faces {version('triton-faces-tools')}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for point in sorted(points, key=lambda point: point.name):
        _add_verb(verbs, point.name, _load(point), with_arguments)
    return parser


def _load(point: EntryPoint) -> Verb | Unavailable:
    try:
        module = point.load()
    except _IMPORT_ERRORS as error:
        return Unavailable(" ".join(str(error).split()) or type(error).__name__)
    absent = [name for name in ("HELP", "add_arguments", "run") if not hasattr(module, name)]
    if absent:
        return Unavailable(f"its module has no {', '.join(absent)}")
    return cast(Verb, module)


def _add_verb(
    verbs: argparse._SubParsersAction[Parser],
    name: str,
    module: Verb | Unavailable,
    with_arguments: bool,
) -> None:
    """with_arguments: False where only the list of verbs is shown; asking for them may import much."""
    if isinstance(module, Unavailable):
        # Takes whatever follows, so that it is the reason that is shown and not a complaint about options.
        verb = verbs.add_parser(name, help=_escaped(f"unavailable: {module.reason}"), add_help=False, prefix_chars="\0")
        verb.add_argument("rest", nargs="*")
        verb.set_defaults(run=partial(_refuse, name, module.reason))
        return
    verb = verbs.add_parser(
        name,
        help=_escaped(module.HELP),
        description=_escaped(module.HELP),
    )
    if with_arguments:
        module.add_arguments(verb)
    verb.set_defaults(run=module.run)


def _refuse(name: str, reason: str, _args: argparse.Namespace) -> int:
    print(f"faces {name} is unavailable: {reason}", file=sys.stderr)
    return EXIT_USAGE


def _escaped(text: str) -> str:
    """argparse takes help texts for format strings."""
    return text.replace("%", "%%")


if __name__ == "__main__":
    sys.exit(main())
