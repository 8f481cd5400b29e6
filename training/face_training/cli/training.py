"""What verbs that make samples and train share: arguments, the way to make samples with a bar, a table of an epoch."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from face_command import outputs
from face_command.arguments import number, whole
from face_command.console import message, print_table, tracked
from face_training.errors import UnreadablePicture, WriteError
from face_training.settings import TrainingSettings
from face_training.workplace import CHECKPOINT, LOG, SAMPLES, is_of_run

_NAMED = 10


def add_training_arguments(parser: argparse.ArgumentParser, defaults: TrainingSettings) -> None:
    """`--epochs` and the like; `training_settings` reads them."""
    add = parser.add_argument_group("training").add_argument
    add("--epochs", type=whole(1), default=defaults.epochs, metavar="N", help="(default: %(default)s)")
    add("--batch-size", type=whole(1), default=defaults.batch_size, metavar="N", help="(default: %(default)s)")
    add(
        "--batches",
        type=whole(1),
        default=defaults.batches,
        metavar="N",
        help="batches in an epoch (default: as many as the samples fill)",
    )
    add(
        "--learning-rate", type=number(0), default=defaults.learning_rate, metavar="RATE", help="(default: %(default)s)"
    )
    add("--weight-decay", type=number(0), default=defaults.weight_decay, metavar="RATE", help="(default: %(default)s)")
    add(
        "--steps",
        type=number(0),
        nargs="*",
        default=defaults.steps,
        metavar="SHARE",
        help="shares of all epochs after which the rate is divided by ten "
        f"(default: {' '.join(map(str, defaults.steps))})",
    )
    add("--seed", type=whole(), default=defaults.seed, metavar="N", help="of weights, samples and order (default: 0)")
    add("--fresh", action="store_true", help="begin anew; without it a run goes on where it was stopped")
    outputs.add_force(parser)
    add("--trust", action="store_true", help="read pickles (.lz4, .npy) of unknown SHA-256, which can run code")


def training_settings(args: argparse.Namespace) -> TrainingSettings:
    """What the arguments say."""
    values = {field.name: getattr(args, field.name) for field in fields(TrainingSettings)}
    return TrainingSettings(**{**values, "steps": tuple(args.steps)})


def add_processes(parser: argparse.ArgumentParser) -> None:
    """`--processes`."""
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--processes", type=whole(1), default=cores, metavar="N", help="that make samples (default: %(default)s)"
    )


def follow_samples(
    make: Callable[[Callable[[UnreadablePicture], object]], Iterator[int]], pictures: int, stage: str
) -> None:
    """Makes samples behind a bar, and says which pictures could not be read.

    make: is given whom to tell of such a picture; yields how many pictures each shard is of.
    """
    unreadable: list[UnreadablePicture] = []
    # Pictures come in shards; the bar counts them one by one.
    done = (1 for count in make(unreadable.append) for _ in range(count))
    for _ in tracked(done, pictures, what=f"{stage} samples"):
        pass
    for error in unreadable[:_NAMED]:
        message(f"{stage}: no samples of {error}")
    if len(unreadable) > _NAMED:
        message(f"{stage}: nor of {len(unreadable) - _NAMED:,} more pictures that cannot be read")


def print_epoch(measured: Mapping[str, float], **labels: str) -> None:
    """An epoch's means, rate and validation as a table; labels: columns that are the same in all rows."""
    same = (*labels.values(), f"{measured['epoch']:g}")
    rows = [(*same, name, f"{value:.4g}") for name, value in measured.items() if name != "epoch"]
    print_table((*labels, "epoch", "what", "value"), rows)


def check_run(args: argparse.Namespace, option: str, files: Sequence[Path], init: str | None) -> None:
    """Raises WriteError where a run would lose what no run has left in its folder, or the weights that it begins with.

    files: what it is for, in its folder. init: a file's path or a name.
    """
    folder = files[0].parent
    for path in (*files, folder / CHECKPOINT):
        check_output(option, path, [Path(init)] if init else [], is_ours=is_of_run, force=args.force)
    for name in (SAMPLES, LOG) if args.fresh else ():
        with _as_write_error():
            outputs.check_replaceable(option, folder / name, is_ours=is_of_run, force=args.force)


def check_output(option: str, path: Path, reads: Iterable[Path] = (), **how: Any) -> None:
    """`outputs.check_file`, with the files that are read by their paths. Raises WriteError."""
    with _as_write_error():
        outputs.check_file(option, path, reads=outputs.identities(reads), **how)


@contextmanager
def _as_write_error() -> Iterator[None]:
    try:
        yield
    except outputs.OutputRefused as error:
        raise WriteError(str(error)) from error
