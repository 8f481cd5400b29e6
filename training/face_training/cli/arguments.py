"""Arguments that several verbs have: how to train."""

import argparse
import math
import os
from dataclasses import fields
from pathlib import Path

from face_training.workplace import TrainingSettings


def add_training_arguments(parser: argparse.ArgumentParser, defaults: TrainingSettings) -> None:
    """`--epochs` and the like; `training_settings` reads them."""
    add = parser.add_argument_group("training").add_argument
    add("--epochs", type=positive, default=defaults.epochs, metavar="N", help="(default: %(default)s)")
    add("--batch-size", type=positive, default=defaults.batch_size, metavar="N", help="(default: %(default)s)")
    add(
        "--batches",
        type=positive,
        default=defaults.batches,
        metavar="N",
        help="batches in an epoch (default: as many as the samples fill)",
    )
    add("--learning-rate", type=amount, default=defaults.learning_rate, metavar="RATE", help="(default: %(default)s)")
    add("--weight-decay", type=amount, default=defaults.weight_decay, metavar="RATE", help="(default: %(default)s)")
    add(
        "--steps",
        type=amount,
        nargs="*",
        default=defaults.steps,
        metavar="SHARE",
        help="shares of all epochs after which the rate is divided by ten "
        f"(default: {' '.join(map(str, defaults.steps))})",
    )
    add("--seed", type=count, default=defaults.seed, metavar="N", help="of weights, samples and order (default: 0)")
    add("--fresh", action="store_true", help="begin anew; without it a run goes on where it was stopped")
    add("--trust", action="store_true", help="read pickles (.lz4, .npy) of unknown SHA-256, which can run code")


def training_settings(args: argparse.Namespace) -> TrainingSettings:
    """What the arguments say."""
    values = {field.name: getattr(args, field.name) for field in fields(TrainingSettings)}
    return TrainingSettings(**{**values, "steps": tuple(args.steps)})


def add_processes(parser: argparse.ArgumentParser) -> None:
    """`--processes`."""
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--processes", type=positive, default=cores, metavar="N", help="that make samples (default: %(default)s)"
    )


def existing_folder(text: str) -> Path:
    """An argument type."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


def positive(text: str) -> int:
    """An argument type: a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number


def count(text: str) -> int:
    """An argument type: a whole number from 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is less than 0")
    return number


def amount(text: str) -> float:
    """An argument type: a finite number from 0."""
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number from 0")
    return number
