"""`faces doctor`: its arguments and what it prints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from face_admin.doctor import machine, service
from face_admin.doctor.finding import BAD, GOOD, Finding
from face_command.console import line

HELP = "say what this machine has and lacks for serving, and what to do about it"

_EPILOG = """\
examples:
  faces doctor                     what to put into a bug report: no secrets, the home folder as ~
  faces doctor --json              the same as one JSON object
  faces doctor --url gpu1:8001     with a picture through that server

Exit status: 0, or 1 where something is bad: no server starts, or the one that runs does not answer as it should.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `faces doctor`."""
    from face_repository.layout import default_repository
    from face_tools.connection import add_connection

    parser.description = "Looks, and changes nothing: each line is good, a note, or bad with what to do."
    parser.epilog = _EPILOG
    parser.add_argument(
        "--repository", type=Path, default=default_repository(), metavar="DIR", help="model repository (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_connection(parser)
    parser.set_defaults(timeout=10.0)


def run(args: argparse.Namespace) -> int:
    """Print what was found; 1 where something is bad."""
    findings = [_discreet(finding) for finding in _examine(args)]
    serves = all(finding.status != BAD for finding in findings)
    if args.json:
        line(json.dumps({"serves": serves, "checks": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    else:
        for finding in findings:
            line(f"{finding.status}  {finding.check:<16}  {finding.found}")
            if finding.advice:
                line(f"{'':<24}→ {finding.advice}")
    return 0 if serves else 1


def _examine(args: argparse.Namespace) -> Iterator[Finding]:
    for look in (
        machine.system,
        machine.interpreter,
        machine.packages,
        machine.triton,
        machine.shared_memory,
        machine.temporary_folder,
        machine.memory,
        machine.processor,
        machine.gpu,
        machine.variables,
    ):
        yield from _found(look.__name__, look)
    yield from _found("repository", lambda: service.exported(args.repository))
    yield from _found("gallery", lambda: service.gallery(args.repository))
    answers = list(_found("server", lambda: service.server(args)))
    yield from _found("ports", lambda: service.ports(any(finding.status == GOOD for finding in answers)))
    yield from answers


def _found(name: str, look: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """What one look finds. Where a package it needs is broken or absent, that is what it found."""
    try:
        found = look()
        yield from [found] if isinstance(found, Finding) else found
    except (ImportError, OSError) as error:
        yield Finding(name.replace("_", " "), BAD, f"cannot be looked at: {error}", "see the packages above")


def _discreet(finding: Finding) -> Finding:
    """Without the name of whoever asks, which their home folder has."""
    home = str(Path.home())
    if home == "/":
        return finding
    return Finding(
        *(text.replace(home, "~") for text in (finding.check, finding.status, finding.found, finding.advice))
    )
