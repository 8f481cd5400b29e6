"""`faces export`: build the networks' `model.pt` files in the model repository."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from face_cascade.networks import FACENET, STAGES
from face_command.arguments import whole
from face_command.console import print_table
from face_export.errors import DownloadError, ExportError
from face_export.published import CACHE_VARIABLE, DEFAULT, NONE, PUBLISHED, RANDOM, cache_directory
from face_repository.layout import SHOWN_OF_DIGEST, RepositoryError, default_repository
from face_repository.versions import numbers

if TYPE_CHECKING:
    from face_export.exporter import Export


NEXT = "next"
"""Of a version: one more than the highest there is."""

# Hexadecimal digits of a file's SHA-256 that the table shows.

HELP = "build PNet, RNet, ONet and FaceNet for the server from pretrained weights or your own"

_EPILOG = """\
examples:
  faces export                          the pretrained networks
  faces export --pnet my_pnet.pt        the same with your own PNet
  faces export --facenet none           detection only; downloads nothing
  faces export --pnet my_pnet.pt --version next
                                        beside the PNet that is there; servers take it when they next start

A running server changes over with `faces deploy`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `faces export`."""
    parser.description = (
        "Write TorchScript networks to the model repository. Each is written only if it answers\n"
        "like the network it was made from; the same weights always give the same file."
    )
    parser.epilog = _EPILOG
    for stage in STAGES:
        parser.add_argument(
            f"--{stage.name}",
            type=Path,
            metavar="FILE",
            help="torch state dict (.pt), ipazc .lz4 or det1/2/3.npy (default: the package mtcnn)",
        )
    names = ", ".join(f"{name} ({weights.classes:,} classes)" for name, weights in PUBLISHED.items())
    parser.add_argument(
        "--facenet",
        metavar="WEIGHTS",
        help=f"{names}, a state dict's path, {RANDOM} (for load tests only) or {NONE} (default: {DEFAULT})",
    )
    parser.add_argument(
        "--classes",
        type=whole(1),
        metavar="N",
        help=f"size of the classifier of --facenet {RANDOM} (default: none)",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="read pickles (.lz4, .npy) of unknown SHA-256, which can run code",
    )
    parser.add_argument(
        "--version",
        type=_version,
        metavar="N",
        help=f"export the networks that are named, and no others, as this version, or as `{NEXT}`; the highest is the "
        "one that servers take when they start (default: 1 of all networks)",
    )
    parser.add_argument(
        "--repository",
        type=Path,
        default=default_repository(),
        metavar="DIR",
        help="where to write (%(default)s)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"where downloads are kept (default: ${CACHE_VARIABLE}, ~/.cache)",
    )


def run(args: argparse.Namespace) -> int:
    """Export what `args` ask for; 0 if all of it was written."""
    from face_repository.configurations import refresh

    done: list[Export] = []
    failure: ExportError | RepositoryError | None = None
    try:
        refresh(args.repository)
        done.extend(_export_stages(args))
        done.extend(_export_facenet(args))
    except (ExportError, RepositoryError) as error:
        failure = error
    if done:
        _print_table(done)
    if failure is not None:
        print(f"faces export: {failure}", file=sys.stderr)
    return 0 if failure is None else 1


def _export_stages(args: argparse.Namespace) -> "Iterator[Export]":
    from face_export.exporter import export_stage
    from face_export.readers import read_stage

    for stage in [stage.name for stage in STAGES]:
        if args.version is not None and getattr(args, stage) is None:
            continue
        weights = read_stage(stage, getattr(args, stage), args.trust)
        yield export_stage(stage, weights, args.repository, _number(args, stage))


def _export_facenet(args: argparse.Namespace) -> "Iterator[Export]":
    from face_export.exporter import export_facenet, model_path
    from face_export.readers.facenet import load

    choice = args.facenet or (DEFAULT if args.version is None else NONE)
    if args.classes is not None and choice != RANDOM:
        raise ExportError(f"--classes goes with --facenet {RANDOM}: other weights bring their own classifier")
    if choice == NONE:
        return
    try:
        weights = load(choice, args.cache or cache_directory(), args.classes, args.trust)
    except DownloadError as error:
        message = f"FaceNet was not exported: {error}. {_advice(choice)}"
        if model_path(args.repository, FACENET.name).exists():
            message += " The FaceNet that was exported earlier stays."
        if args.facenet is not None:
            raise DownloadError(message) from error
        # Nobody asked for FaceNet by name, and detection serves without it.
        print(f"faces export: {message}", file=sys.stderr)
        return
    yield export_facenet(weights, args.repository, _number(args, FACENET.name))


def _number(args: argparse.Namespace, model: str) -> int:
    """The version to write. Says so where another one stays live."""
    highest = max(numbers(args.repository / model), default=0)
    chosen: int = highest + 1 if args.version == NEXT else args.version or 1
    if chosen < highest:
        print(f"faces export: version {highest} of {model} stays the live one, not {chosen}", file=sys.stderr)
    return chosen


def _advice(choice: str) -> str:
    published = PUBLISHED[choice]
    return (
        f"Download {published.url} elsewhere, check that its SHA-256 is {published.sha256}, and run "
        f"`faces export --facenet PATH`; or leave FaceNet out with `--facenet {NONE}`."
    )


def _version(text: str) -> int | str:
    return NEXT if text == NEXT else whole(1)(text)


def _print_table(exports: "list[Export]") -> None:
    """One row a network on stdout: size, source, parity and the start of the file's SHA-256."""
    rows = [
        (
            done.model,
            f"{done.parameters:,}",
            f"{done.source}: {done.note}" if done.note else done.source,
            f"{done.parity_max_difference:.1g}",
            done.model_sha256[:SHOWN_OF_DIGEST],
        )
        for done in exports
    ]
    print_table(("model", "parameters", "source", "max difference", "model.pt"), rows)
