"""`faces evaluate lfw`: accuracy of recognition on Labeled Faces in the Wild."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from face_command import console
from face_tools.connection import add_parameters, parameters_from
from face_tools.evaluation import running

if TYPE_CHECKING:
    from face_client.client import FaceClient
    from face_tools.evaluation.lfw import LfwReport


HELP = "accuracy of recognition on Labeled Faces in the Wild: ten folds, ROC curve"

_EPILOG = f"""\
DATA holds a folder a person, NAME/NAME_0001.jpg and so on, and pairs.txt, unless --pairs names it. The face of a
picture is the one that --selection chooses, center_weighted_size here, cut with --margin 14; where none is
found, the centre of the picture stands in and is counted.

examples:
  faces evaluate lfw lfw/ --limit 600                 a try-out on 600 pairs
  faces evaluate lfw lfw/ --pairs pairs.txt --out lfw-vggface2/
  faces evaluate lfw lfw/ --mirror                    with each crop's mirror image beside it

{running.WRITTEN.format(curve="roc.png")}
{running.EXIT_STATUS}
"""

_PARAMETERS = (
    "min_face_size",
    "threshold_pnet",
    "threshold_rnet",
    "threshold_onet",
    "factor",
    "selection",
    "margin",
    "align",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces evaluate lfw`."""
    parser.epilog = _EPILOG
    parser.add_argument("data", metavar="DATA", type=Path, help="folder of the people's folders")
    parser.add_argument("--pairs", metavar="FILE", type=Path, help="the list of pairs (DATA/pairs.txt)")
    parser.add_argument("--mirror", action="store_true", help="compare the mirrored crops too")
    running.add_arguments(parser, out="lfw-evaluation", unit="pairs, as many of each fold and kind")
    add_parameters(parser, _PARAMETERS)


def run(args: argparse.Namespace) -> int:
    """Embed what is not embedded yet, measure, write and print; returns the exit status."""
    return running.run("lfw", args, partial(_evaluate, args))


def _evaluate(args: argparse.Namespace, client: FaceClient) -> running.Outcome:
    # Not at the top: `faces evaluate --help` must work without the extra.
    from face_tools.evaluation.lfw import OPTIONS, PAIRS_FILE, EmbeddingTask, measure, pictures_of, read_pairs, spread
    from face_tools.evaluation.plots import plot_roc

    source = args.pairs or args.data / PAIRS_FILE
    every = read_pairs(source)
    pairs = spread(every, args.limit)
    task = EmbeddingTask(client, {**OPTIONS, **parameters_from(args)}, args.in_flight, args.mirror)
    pictures = {name: args.data / name for name in pictures_of(pairs)}
    with running.results(args, "embeddings.jsonl", task.settings()) as results:
        gaps = running.fill(task, results, pictures)
        report = measure(pairs, results)
    plot_roc(report.roc, args.out / "roc.png")
    if report.without_face:
        console.message(
            f"no face was found in {len(report.without_face)} of {report.pictures} pictures; their centres stand in"
        )
    return running.Outcome(
        settings=task.settings(),
        source=source,
        whole=len(pairs) == len(every),
        gaps=gaps,
        report=report.to_dict(),
        header=("measure", "value"),
        rows=list(_rows(report)),
    )


def _rows(report: LfwReport) -> Iterator[tuple[str, str]]:
    accuracy = report.accuracy
    yield "pairs", str(report.pairs)
    yield "accuracy", f"{accuracy.mean:.4f} ± {accuracy.standard_deviation:.4f}"
    yield "standard error", f"{accuracy.standard_error:.4f}"
    low, high = accuracy.thresholds.min(), accuracy.thresholds.max()
    yield "threshold (distance)", f"{low:.3f} to {high:.3f}"
    yield "area under ROC curve", f"{report.roc.area:.4f}"
    yield "equal error rate", f"{report.roc.equal_error_rate:.4f}"
    for far, tar in report.to_dict()["tar_at_far"].items():
        yield f"TAR at FAR {far}", "too few pairs" if tar is None else f"{tar:.4f}"
    yield "pictures without a face", str(len(report.without_face))
