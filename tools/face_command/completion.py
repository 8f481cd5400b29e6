"""`faces completion`: what a shell needs to complete the commands, options and files of `faces`.

shtab writes it out of the parser: a script that answers at once, where argcomplete would start Python at each press
of the key.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from face_command.arguments import existing_folder, readable_file
from face_command.console import line

SHELLS = ("bash", "zsh", "fish")

HELP = "print a script that lets bash, zsh or fish complete faces"

_EPILOG = """\
for this shell only:
  source <(faces completion bash)
  eval "$(faces completion zsh)"           after compinit
  faces completion fish | source

for all:
  faces completion bash > ~/.local/share/bash-completion/completions/faces
  faces completion zsh > ~/.zfunc/_faces   with fpath+=~/.zfunc before compinit
  faces completion fish > ~/.config/fish/completions/faces.fish

Again after an update, which may bring new options.
"""

# What arguments are called in the help that take files, also where their type does not tell.
_FILES = ("FILE", "IN", "PATH", "WEIGHTS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces completion`."""
    parser.epilog = _EPILOG
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads it")


def run(args: argparse.Namespace) -> int:
    """Print the script; returns the exit status."""
    # Not at the top: it imports this module by its entry point.
    from face_command.main import whole_parser

    line(script(whole_parser(), args.shell))
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script. parser: with all commands and their arguments."""
    import shtab

    for action in arguments_of(parser):
        if action.metavar == "DIR" or action.type is existing_folder:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type in (Path, readable_file) or action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def arguments_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All that a parser and those of its commands take."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from arguments_of(command)
        else:
            yield action
