"""`faces deploy`: retrained networks onto a running server, compared first: options, tables, question."""

import argparse
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from face_admin.deploy.comparison import MAX_LOSS, MIN_AGREEMENT, Accuracy, Comparison, Gate
from face_admin.deploy.confidence import ACCEPT_FEW, add_accept_few
from face_admin.deploy.errors import ControlError, DeployError
from face_admin.deploy.store import Deployment, Store
from face_command.arguments import number
from face_command.console import message, print_table, tracked
from face_repository.layout import SHOWN_OF_DIGEST, default_repository
from face_repository.versions import NETWORKS, to_text
from face_server.settings import ADMIN_KEY_VARIABLE
from face_tools.connection import OF_DETECTION, add_connection, add_parameters, parameters_from, tls_from

if TYPE_CHECKING:
    from face_admin.deploy.judging import Judgement, Named
    from face_admin.deploy.servers import Fleet
    from face_admin.deploy.steps import Trial


HELP = "swap retrained networks into a running server, if they pass a comparison with the live ones"

_EPILOG = f"""\
examples:
  faces deploy --pnet my_pnet.pt --photos holiday/            compare, show, ask, switch
  faces deploy --pnet my_pnet.pt --photos holiday/ --dry-run  compare and show; needs no server
  faces deploy --rnet my_rnet.pt --photos WIDER_val/images --labels wider_face_val_bbx_gt.txt --yes
  faces deploy --rollback                                     back to what was live before
  faces deploy --list                                         versions, and which are live
  faces deploy --pnet my_pnet.pt --photos holiday/ --url dns:///faces:8001   all replicas, or none

The server must have been started with {ADMIN_KEY_VARIABLE} in its environment; the same variable, or --key-file, gives
the key here. It answers all the while: no request is lost, and every answer is wholly of the old or of the new
networks. Several servers in --url must read one repository: all of them are switched, or all switched back.
Exit status: 0 switched (or passed, with --dry-run), 1 not.
"""

Row: TypeAlias = tuple[str, ...]

_COMPARISON_HEADER = ("", "live", "candidate")
_VERSIONS_HEADER = ("network", "version", "", "how", "source", "model.pt")

_SECONDS = len("2026-11-22T10:00:00")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `faces deploy`."""
    parser.epilog = _EPILOG
    for network in NETWORKS:
        parser.add_argument(f"--{network}", type=Path, metavar="FILE", help="new weights, as for `faces export`")
    parser.add_argument("--trust", action="store_true", help="read pickles (.lz4, .npy), which can run code")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="pictures to compare on; their subfolders too")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="where the faces are, in WIDER FACE's format (text, or the folder of .mat files), by paths below --photos",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="compare only")
    what.add_argument("--rollback", action="store_true", help="undo the last deployment")
    what.add_argument("--list", action="store_true", help="show all versions")
    parser.add_argument("--yes", action="store_true", help="switch without asking, if the gate is passed")
    _add_gate(parser)
    parser.add_argument(
        "--repository", type=Path, default=default_repository(), metavar="DIR", help="the server's (%(default)s)"
    )
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help=f"holds the server's admin key (default: {ADMIN_KEY_VARIABLE})"
    )
    add_connection(parser)
    add_parameters(parser, OF_DETECTION)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    gate = parser.add_argument_group("gate")
    share, times = number(0, 1), number(above=0)
    for flag, kind, default, text in (
        (
            "--min-agreement",
            share,
            None,
            "share of all faces, found by either, that live and candidate must both find "
            f"({MIN_AGREEMENT}; with --labels none)",
        ),
        ("--max-loss", share, MAX_LOSS, "with --labels: how far average precision and recall may fall (%(default)s)"),
        ("--min-recall", share, None, "with --labels: recall that is needed (none)"),
        (
            "--max-landmark-shift",
            share,
            Gate.max_landmark_shift,
            "how far landmarks may move, the median in widths of a face (%(default)s)",
        ),
        ("--max-slowdown", times, Gate.max_slowdown, "how many times as long the candidate may take (%(default)s)"),
    ):
        gate.add_argument(flag, type=kind, default=default, metavar="X", help=text)
    add_accept_few(gate)


def run(args: argparse.Namespace) -> int:
    """Do what `args` ask for; returns the exit status."""
    from face_admin.deploy.steps import compare_only, deploy, roll_back
    from face_export.errors import ExportError

    wrong = _wrong(args) or _wrong_parameter(args)
    if wrong:
        message(f"faces deploy: {wrong}")
        return 2
    try:
        if args.list:
            _show_versions(args)
        elif args.rollback:
            store = Store(args.repository)
            with _fleet(args) as fleet:
                roll_back(store, fleet, _Person(args))
        elif args.dry_run:
            compare_only(_trial(args), _Person(args))
        else:
            trial = _trial(args)
            with _fleet(args) as fleet:
                deploy(trial, fleet, _Person(args))
    except (DeployError, ExportError) as error:
        message(f"faces deploy: {error}")
        return 1
    return 0


def _wrong(args: argparse.Namespace) -> str:
    """Why the arguments do not go together; empty where they do."""
    new = [name for name in NETWORKS if getattr(args, name)]
    if args.list or args.rollback:
        return f"--{new[0]} goes with a deployment only" if new else ""
    if not new:
        return "give a new network: --pnet, --rnet or --onet FILE"
    if args.min_recall is not None and args.labels is None:
        return "--min-recall needs --labels"
    return "" if args.photos else "--photos DIR is needed to compare on"


def _wrong_parameter(args: argparse.Namespace) -> str:
    """What the cascade says of the parameters, before anything is exported; empty where they are right."""
    from face_cascade import DetectionParameters, InvalidInput

    try:
        DetectionParameters.parse(dict(parameters_from(args)))
    except InvalidInput as error:
        return str(error)
    return ""


def _trial(args: argparse.Namespace) -> "Trial":
    from face_admin.deploy.judging import find_pictures, with_labels
    from face_admin.deploy.steps import Trial

    store, album = Store(args.repository), find_pictures(args.photos, message)
    agreement = args.min_agreement
    if args.labels is not None:
        album = with_labels(album, args.labels)
    elif agreement is None:
        agreement = MIN_AGREEMENT
    gate = Gate(agreement, args.max_loss, args.min_recall, args.max_landmark_shift, args.max_slowdown, args.accept_few)
    weights = {name: getattr(args, name) for name in NETWORKS if getattr(args, name) is not None}
    return Trial(store, weights, album, gate, parameters_from(args), args.trust)


def _fleet(args: argparse.Namespace) -> "Fleet":
    from face_admin.deploy.servers import Fleet

    return Fleet(args.url, _admin_key(args.key_file), tls_from(args), args.timeout)


def _admin_key(file: Path | None) -> str:
    """From the file, or else the environment: never the command line, which all users of a machine see."""
    try:
        key = os.environ.get(ADMIN_KEY_VARIABLE, "") if file is None else file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"cannot read {file}: {getattr(error, 'strerror', 'it is no text')}") from error
    if not key:
        raise DeployError(
            f"the server's admin key is needed: set {ADMIN_KEY_VARIABLE}, here and where the server is started, "
            "or give --key-file"
        )
    return key


class _Person:
    """Whoever sits at the terminal (`face_admin.deploy.steps.Audience`)."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args

    def follow(self, pictures: "Collection[Named]") -> "Iterable[Named]":
        message("comparing in this process; the server goes on answering")
        return tracked(pictures, len(pictures))

    def show(self, judgement: "Judgement") -> None:
        for sentence in judgement.warnings:
            message(f"faces deploy: {sentence}")
        for name, reason in judgement.answers.unreadable.items():
            message(f"faces deploy: {self._args.photos / name}: {reason}")
        rows = comparison_rows(judgement.comparison, judgement.live, judgement.candidate)
        print_table(_COMPARISON_HEADER, rows)
        for sentence in judgement.doubts:
            message(f"faces deploy: {ACCEPT_FEW} lets pass: {sentence}")
        if not judgement.failures:
            of = judgement.comparison
            message(f"the candidate passes the gate on {of.pictures} pictures, {of.either} faces")

    def hear(self, sentence: str) -> None:
        message(sentence)

    def confirm(self, question: str) -> None:
        if self._args.yes:
            return
        if not sys.stdin.isatty():
            raise DeployError("nobody is there to be asked: give --yes to switch; nothing was changed")
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise DeployError("nothing was changed")


def comparison_rows(
    comparison: Comparison, live: Mapping[str, Accuracy], candidate: Mapping[str, Accuracy]
) -> list[Row]:
    """The comparison as a table. live, candidate: by subset; empty without labels."""
    old_ms, new_ms = (f"{1000 * seconds / comparison.pictures:.1f}" for seconds in comparison.seconds)
    table: list[Row] = [
        ("faces found", str(comparison.faces[0]), str(comparison.faces[1])),
        ("found by this one only", *(str(faces - comparison.matched) for faces in comparison.faces)),
        ("found by both (IoU ≥ 0.5)", "", f"{comparison.matched}, agreement {_share(comparison.agreement)}"),
        ("the same box (IoU ≥ 0.9)", "", f"{comparison.tight}, agreement {_share(comparison.tight_agreement)}"),
        ("landmarks apart, of the width", "", _share(comparison.landmark_shift)),
        ("ms a picture, on this machine", old_ms, new_ms),
    ]
    for subset, new in candidate.items():
        old, of = live[subset], f"({subset}, {new.faces} faces)"
        table += [
            (f"average precision {of}", f"{old.average_precision:.3f}", f"{new.average_precision:.3f}"),
            (f"recall {of}", f"{old.recall:.3f}", f"{new.recall:.3f}"),
            (f"found, but not labelled ({subset})", str(old.false), str(new.false)),
        ]
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _show_versions(args: argparse.Namespace) -> None:
    """A table of the versions, and what each server says."""
    from face_admin.deploy.servers import switched_to

    print_table(_VERSIONS_HEADER, version_rows(Store(args.repository)))
    try:
        for url, versions in switched_to(args.url, tls_from(args)):
            if isinstance(versions, ControlError):
                message(str(versions))
            else:
                # Before a switch only its own environment tells.
                message(f"the server at {url} runs {to_text(versions) or 'what was live when it started'}")
    except ControlError as error:
        message(str(error))


def version_rows(store: Store) -> list[Row]:
    """All versions of a repository as a table, oldest first within a network."""
    live = store.live()
    return [
        (
            network,
            str(version.number),
            "live" if version.number == live[network] else "",
            _how(version.deployment),
            version.source,
            version.sha256[:SHOWN_OF_DIGEST],
        )
        for network in NETWORKS
        for version in store.versions(network)
    ]


def _how(deployment: Deployment | None) -> str:
    if deployment is None:
        return "exported"
    what = "deployed" if deployment.copy_of is None else f"rollback to {deployment.copy_of}"
    return f"{what}, {deployment.time[:_SECONDS]}Z"
