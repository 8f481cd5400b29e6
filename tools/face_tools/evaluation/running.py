"""What the sets share: where results lie, the run over the pictures, and the report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from face_client.errors import FaceError, InvalidInput
from face_command import console
from face_command.arguments import whole
from face_tools.connection import (
    EXIT_NO_SERVER,
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    add_connection,
    no_server,
    tls_from,
)

if TYPE_CHECKING:
    from face_client.client import FaceClient
    from face_tools.evaluation.results import ResultsFile, Task


EXIT_STATUS = "exit status: 0 every picture counted, 1 some were missing or failed, 2 wrong usage, 3 no server"
WRITTEN = "Written into --out: the answers picture by picture, report.json and {curve}."

_NAMED = 5

# Nobody waits for one picture here, and on a slow machine those that are in flight wait for each other.
_TIMEOUT_S = 300.0


class Gaps(NamedTuple):
    """Pictures that are not part of the measure. missing: no file; failed: name → reason."""

    missing: list[str]
    failed: dict[str, str]


class Outcome(NamedTuple):
    """What a set's run gives. whole: False for a try-out. report: for JSON; header and rows: for the table."""

    settings: Mapping[str, Any]
    source: Path
    whole: bool
    gaps: Gaps
    report: Mapping[str, Any]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def add_arguments(parser: argparse.ArgumentParser, out: str, unit: str) -> None:
    """--out, --limit, --json, and the connection."""
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path(out), help="results; a next run goes on there (%(default)s)"
    )
    parser.add_argument("--limit", type=whole(1), metavar="N", help=f"try out N {unit}")
    parser.add_argument("--json", action="store_true", help="print report.json instead of the table")
    add_connection(parser)
    parser.set_defaults(timeout=_TIMEOUT_S)


def run(name: str, args: argparse.Namespace, evaluate: Callable[[FaceClient], Outcome]) -> int:
    """Evaluate with a client, report, and turn what went wrong into a line and an exit status."""
    # Not at the top: gRPC takes longer to import than `faces evaluate --help` to answer, which must do so without
    # the extra as well.
    from face_client.client import FaceClient
    from face_tools.evaluation.results import NotReady

    try:
        with FaceClient(args.url, timeout=args.timeout, tls=tls_from(args)) as client:
            outcome = evaluate(client)
        document = _document(name, outcome)
        (args.out / "report.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except (InvalidInput, OSError) as error:
        console.message(f"faces evaluate {name}: {error}")
        return EXIT_USAGE
    except NotReady as error:
        console.message(f"{no_server(f'evaluate {name}', error.model, args.url)}; what is done is kept in {args.out}")
        return EXIT_NO_SERVER
    except FaceError as error:
        console.message(f"faces evaluate {name}: {error}; what is done is kept in {args.out}")
        return EXIT_NO_SERVER
    if args.json:
        print(json.dumps(document, indent=2))
    else:
        console.print_table(outcome.header, outcome.rows)
    _remark(args.out, outcome)
    return EXIT_SOME_FAILED if any(outcome.gaps) else EXIT_OK


def results(args: argparse.Namespace, name: str, settings: Mapping[str, object]) -> ResultsFile:
    """The file of results in --out. Raises InvalidInput where it was made with other settings."""
    from face_tools.evaluation.results import ResultsFile

    return ResultsFile(args.out / name, settings)


def fill(task: Task, results: ResultsFile, pictures: Mapping[str, Path]) -> Gaps:
    """Ask for the pictures that the results lack, with a bar. Raises NotReady, InvalidInput."""
    from face_tools.evaluation.results import collect, missing_files

    known = sum(name in results for name in pictures)
    if known:
        console.message(f"{known} of {len(pictures)} pictures are in {results.path} already")
    missing = missing_files(pictures, results)
    _name("not there", dict.fromkeys(missing, "no such file"))
    wanted = {name: path for name, path in pictures.items() if name not in set(missing)}
    answers = console.tracked(collect(task, results, wanted), len(wanted), done=known)
    failures = [failure for failure in answers if failure is not None]
    failed = dict(failures)
    _name("failed", failed)
    return Gaps(missing, failed)


def _name(what: str, reasons: Mapping[str, str]) -> None:
    """A line for each of the first few; report.json has them all."""
    for name in list(reasons)[:_NAMED]:
        console.message(f"{name}: {reasons[name]}")
    if len(reasons) > _NAMED:
        console.message(f"… in all {len(reasons)} pictures {what}")


def _document(name: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "set": name,
        "complete": outcome.whole and not any(outcome.gaps),
        **outcome.report,
        "ground_truth": str(outcome.source),
        "parameters": outcome.settings["parameters"],
        "missing": outcome.gaps.missing,
        "failed": outcome.gaps.failed,
    }


def _remark(out: Path, outcome: Outcome) -> None:
    if any(outcome.gaps):
        count = len(outcome.gaps.missing) + len(outcome.gaps.failed)
        console.message(f"pictures that these numbers lack: {count}; not to be compared with published numbers")
    elif not outcome.whole:
        console.message("a try-out on a part of the set: not to be compared with published numbers")
    console.message(f"written to {out}")
