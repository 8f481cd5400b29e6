"""`faces compare`: whether two pictures show one person."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from face_client.errors import ServerUnavailable, reason
from face_client.faces import Faces
from face_client.options import of_one_face
from face_client.similarity import SAME_DISTANCE, Comparison, compare_embeddings
from face_command import console
from face_command.arguments import number
from face_tools.connection import (
    add_asking,
    add_random_weights,
    check_parameters,
    check_ready,
    check_weights,
    in_one_line,
    open_client,
    parameters_from,
)

if TYPE_CHECKING:
    from face_client import FaceClient

Embedding = NDArray[np.float32]

HELP = "tell whether two pictures show one person"

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_NO_ANSWER = 2

_EPILOG = """\
examples:
  faces compare passport.jpg visitor.jpg
  faces compare a.jpg b.jpg --threshold 0.9 --json
  faces compare a.jpg b.jpg && echo "the same person"

The largest face of each picture counts; --selection takes another. distance is that of the two embeddings, from 0 to 2:
below the threshold it is one person. docs/recognition.md says where its default comes from.

exit status: 0 the same person, 1 two persons, 2 no answer (a picture that cannot be read, or without a face; wrong
usage), 3 no server, or none with a trained FaceNet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces compare`."""
    parser.epilog = _EPILOG
    parser.add_argument("a", metavar="A", type=Path, help="a picture")
    parser.add_argument("b", metavar="B", type=Path, help="another one")
    parser.add_argument("--json", action="store_true", help="a JSON object instead of the table")
    parser.add_argument(
        "--threshold",
        type=number(above=0, high=2),
        default=SAME_DISTANCE,
        metavar="D",
        help="distance below which two faces are one person's (%(default)g)",
    )
    add_random_weights(parser)
    add_asking(parser)


def run(args: argparse.Namespace) -> int:
    """Compare and print; returns the exit status."""
    return in_one_line("compare", lambda: _compare(args), failed=EXIT_NO_ANSWER)


def _compare(args: argparse.Namespace) -> int:
    with open_client(args) as client:
        check_ready(client, client.recognizer, client.embedder, wait=args.wait)
        check_weights(client, "compare", args.random_weights)
        check_parameters(client, args, recognize=True)
        embeddings = _embeddings(client, args)
    if embeddings is None:
        return EXIT_NO_ANSWER
    comparison = compare_embeddings(*embeddings, threshold=args.threshold)
    _print(comparison, args)
    return EXIT_SAME if comparison.same else EXIT_DIFFERENT


def _embeddings(client: FaceClient, args: argparse.Namespace) -> tuple[Embedding, Embedding] | None:
    """That of one face of each picture; None, and a line for each picture that has none to give."""
    paths = (args.a, args.b)
    options = of_one_face(parameters_from(args))
    answers = list(client.recognize_each(paths, max_side=args.max_side, in_flight=2, **options))
    if any(isinstance(answer, ServerUnavailable) for answer in answers):
        check_ready(client, client.recognizer, client.embedder)
    found = []
    for path, answer in zip(paths, answers):
        if not isinstance(answer, Faces):
            console.message(f"{path}: {reason(answer)}")
        elif not answer or answer.embeddings is None:
            console.message(f"{path}: no face was found")
        else:
            found.append(answer.embeddings[0])
    return (found[0], found[1]) if len(found) == len(paths) else None


def _print(comparison: Comparison, args: argparse.Namespace) -> None:
    if args.json:
        document = {"a": str(args.a), "b": str(args.b), **comparison._asdict(), "threshold": args.threshold}
        console.line(json.dumps(document))
        return
    verdict = "the same person" if comparison.same else "two persons"
    row = (f"{comparison.distance:.3f}", f"{comparison.cosine:.3f}", f"{verdict} (threshold {args.threshold:g})")
    console.print_table(("distance", "cosine", "verdict"), [row])
