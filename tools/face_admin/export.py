"""`faces export`: build the networks' `model.pt` files in the model repository."""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from face_admin.deploy.confidence import ACCEPT_FEW, add_accept_few
from face_cascade.networks import FACENET, STAGES
from face_command import outputs
from face_command.arguments import number, whole
from face_command.console import message, print_table, tracked
from face_export.errors import DownloadError, ExportError
from face_export.published import CACHE_VARIABLE, DEFAULT, NONE, PUBLISHED, RANDOM, cache_directory
from face_repository.layout import EXPORT_RECORD, EXPORTED, SHOWN_OF_DIGEST, RepositoryError, default_repository
from face_repository.versions import numbers
from face_repository.weights import FP16, FP32, PRECISIONS

if TYPE_CHECKING:
    from face_export.exporter import Built, Export


NEXT = "next"
"""Of a version: one more than the highest there is."""

MIN_AGREEMENT = 0.99
MIN_SIMILARITY = 0.999

HELP = "build PNet, RNet, ONet and FaceNet for the server from pretrained weights or your own"

_EPILOG = """\
examples:
  faces export                          the pretrained networks
  faces export --repository models/     a whole repository in a new folder; faces serve --repository models/
  faces export --pnet my_pnet.pt        the same with your own PNet
  faces export --facenet none           detection only; downloads nothing
  faces export --pnet my_pnet.pt --version next
                                        beside the PNet that is there; servers take it when they next start
  faces export --precision fp16 --photos holiday/ --keep-fp32 pnet
                                        for a GPU, in half precision, if that finds the same faces in the photos

A running server changes over with `faces deploy`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `faces export`."""
    parser.description = (
        "Write TorchScript networks to the model repository, and all else that a new one needs.\n"
        "Each network is written only if it answers like the one it was made from; the same weights\n"
        "always give the same file."
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
    outputs.add_force(parser)
    _add_precision(parser)


def _add_precision(parser: argparse.ArgumentParser) -> None:
    half = parser.add_argument_group(
        "half precision",
        "Rounding moves boxes, and near a threshold faces come and go. So fp16 is compared with\n"
        "fp32 on the CPU first, and nothing is written unless it passes.",
    )
    half.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=FP32,
        help="what networks compute in on a GPU; compiled ones on a CPU compute in float32 with rounded weights "
        "(%(default)s)",
    )
    half.add_argument("--photos", type=Path, metavar="DIR", help="pictures to compare on; their subfolders too")
    half.add_argument(
        "--keep-fp32",
        nargs="+",
        choices=[network.name for network in (*STAGES, FACENET)],
        default=(),
        metavar="NETWORK",
        help=f"those that are exported in {FP32} all the same: pnet, which rounding harms most",
    )
    half.add_argument(
        "--min-agreement",
        type=number(0, 1),
        default=MIN_AGREEMENT,
        metavar="X",
        help="share of all faces, found by either, that both must be shown to find at IoU 0.9 (%(default)s)",
    )
    half.add_argument(
        "--min-similarity",
        type=number(-1, 1),
        default=MIN_SIMILARITY,
        metavar="X",
        help="the least cosine similarity of FaceNet's two embeddings of a face (%(default)s)",
    )
    add_accept_few(half)


def run(args: argparse.Namespace) -> int:
    """Export what `args` ask for; 0 if all of it was written."""
    from face_admin.deploy.errors import DeployError
    from face_repository.configurations import refresh
    from face_repository.laying_out import lay_out

    wrong = _wrong(args) or _lost(args)
    if wrong:
        message(f"faces export: {wrong}")
        return 2
    done: list[Export] = []
    failure: Exception | None = None
    try:
        for file in lay_out(args.repository):
            message(f"faces export: {file} is not this version's and stays; remove it to have this version's")
        refresh(args.repository)
        if args.precision == FP16:
            done.extend(_in_half(args))
        else:
            done.extend(_write(args, build(FP32)) for _, build in _builders(args))
    except (ExportError, RepositoryError, DeployError) as error:
        failure = error
    if done:
        _print_table(done)
    if failure is not None:
        message(f"faces export: {failure}")
    return 0 if failure is None else 1


def _wrong(args: argparse.Namespace) -> str:
    """Why the arguments do not go together; empty where they do."""
    if args.precision == FP16 and args.photos is None:
        return (
            f"--precision {FP16} needs --photos DIR: rounding moves boxes and can lose faces, so it is compared with "
            f"{FP32} on pictures of yours before anything is written"
        )
    for option in ("photos", "keep_fp32", "accept_few"):
        if getattr(args, option) and args.precision != FP16:
            return f"--{option.replace('_', '-')} goes with --precision {FP16}"
    return ""


def _lost(args: argparse.Namespace) -> str:
    """Which file would be lost, that is read here or that no export wrote; empty where none would."""
    from face_export.exporter import model_path

    named = {network: getattr(args, network) for network in (*(stage.name for stage in STAGES), FACENET.name)}
    reads = outputs.identities(Path(choice) for choice in named.values() if choice is not None)
    for network, choice in named.items():
        is_written = choice != NONE and (choice is not None or args.version is None)
        if not is_written or args.version == NEXT:
            continue
        try:
            path = model_path(args.repository, network, args.version or 1)
            outputs.check_replaceable("--repository", path, reads=reads, is_ours=_is_exported, force=args.force)
        except outputs.OutputRefused as error:
            return str(error)
    return ""


def _is_exported(path: Path) -> bool:
    return path.with_name(EXPORT_RECORD).exists()


def _in_half(args: argparse.Namespace) -> "list[Export]":
    """Writes all networks or, where they do not pass the gate, none. Raises PrecisionError."""
    from face_admin.deploy.judging import find_pictures
    from face_admin.precision import Gate, judge
    from face_export.errors import PrecisionError

    album, builders = find_pictures(args.photos, message), dict(_builders(args))
    kept = {name: build(FP32) for name, build in builders.items() if name in args.keep_fp32}
    half = {name: build(FP16) for name, build in builders.items() if name not in kept}
    if not half:
        raise PrecisionError(f"there is nothing to export in {FP16}: all networks that are asked for stay in {FP32}")
    # FaceNet in half precision brings what it is compared with.
    whole = [build(FP32) for name, build in builders.items() if name in half and name != FACENET.name]
    message(f"comparing {FP16} with {FP32} on this processor, which takes seconds a picture")
    verdict = judge(
        [*kept.values(), *whole],
        [*kept.values(), *half.values()],
        args.repository,
        album,
        lambda pictures: tracked(pictures, len(pictures)),
    )
    for name, reason in verdict.unreadable.items():
        message(f"faces export: {args.photos / name}: {reason}")
    print_table((f"{FP16} beside {FP32}", ""), verdict.rows())
    gate = Gate(args.min_agreement, args.min_similarity, args.accept_few)
    failures = list(verdict.failures(gate))
    if gate.accept_few:
        for sentence in verdict.doubts(gate):
            message(f"faces export: {ACCEPT_FEW} lets pass: {sentence}")
    if failures:
        raise PrecisionError(f"half precision does not pass: {'; '.join(failures)}; nothing was written")
    return [_write(args, built) for built in (*kept.values(), *half.values())]


def _builders(args: argparse.Namespace) -> "Iterator[tuple[str, Callable[[str], Built]]]":
    """Each network that is asked for by name, and what builds it in a precision; weights are read as they come."""
    from face_export.exporter import build_stage
    from face_export.readers import read_stage

    for stage in [stage.name for stage in STAGES]:
        if args.version is None or getattr(args, stage) is not None:
            weights = read_stage(stage, getattr(args, stage), args.trust)
            yield stage, partial(build_stage, stage, weights)
    yield from _facenet_builder(args)


def _facenet_builder(args: argparse.Namespace) -> "Iterator[tuple[str, Callable[[str], Built]]]":
    from face_export.exporter import build_facenet, model_path
    from face_export.readers.facenet import load

    choice = args.facenet or (DEFAULT if args.version is None else NONE)
    if args.classes is not None and choice != RANDOM:
        raise ExportError(f"--classes goes with --facenet {RANDOM}: other weights bring their own classifier")
    if choice == NONE:
        return
    try:
        weights = load(choice, args.cache or cache_directory(), args.classes, args.trust)
    except DownloadError as error:
        sentence = f"FaceNet was not exported: {error}. {_advice(choice)}"
        if model_path(args.repository, FACENET.name).exists():
            sentence += " The FaceNet that was exported earlier stays."
        if args.facenet is not None:
            raise DownloadError(sentence) from error
        # Nobody asked for FaceNet by name, and detection serves without it.
        message(f"faces export: {sentence}")
        return
    yield FACENET.name, partial(build_facenet, weights)


def _write(args: argparse.Namespace, built: "Built") -> "Export":
    return built.write(args.repository, _number(args, built.export.model))


def _number(args: argparse.Namespace, model: str) -> int:
    """The version to write. Says so where another one stays live."""
    folder = args.repository / model
    # A repository that was laid out has folders without a network in them.
    highest = max((n for n in numbers(folder) if (folder / str(n) / EXPORTED).is_file()), default=0)
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
    """One row a network on stdout: size, source, precision, parity and the start of the file's SHA-256."""
    rows = [
        (
            done.model,
            f"{done.parameters:,}",
            f"{done.source}: {done.note}" if done.note else done.source,
            done.precision,
            f"{done.parity_max_difference:.1g}",
            done.model_sha256[:SHOWN_OF_DIGEST],
        )
        for done in exports
    ]
    print_table(("model", "parameters", "source", "precision", "max difference", "model.pt"), rows)
