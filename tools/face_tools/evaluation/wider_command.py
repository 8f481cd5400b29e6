"""`faces evaluate wider`: average precision of detection on WIDER FACE's validation set."""

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
    from face_tools.evaluation.wider import WiderReport


HELP = "average precision of detection on WIDER FACE: easy, medium, hard"

_EPILOG = f"""\
DATA holds WIDER_val/images/ and the ground truth: the four .mat files of the evaluation tools in ground_truth/
(easy, medium and hard), or wider_face_split/wider_face_val_bbx_gt.txt (all valid faces as one subset).

Unlike `faces detect` this asks for faces from 10 pixels and for unlikely ones, as a precision-recall curve needs
and as others measured the published networks: --min-face-size 10 --threshold-pnet 0.5 --threshold-rnet 0.5
--threshold-onet 0.3 --factor 0.79.

examples:
  faces evaluate wider WIDER/ --limit 100             a try-out on 100 pictures
  faces evaluate wider WIDER/ --out wider/            goes on from what is in wider/ already
  faces evaluate wider WIDER/ --ground-truth wider_face_split/wider_face_val_bbx_gt.txt

{running.WRITTEN.format(curve="precision-recall.png")}
{running.EXIT_STATUS}
"""

_HEADER = ("subset", "faces", "average precision", "recall", "precision")
_PARAMETERS = ("min_face_size", "threshold_pnet", "threshold_rnet", "threshold_onet", "factor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces evaluate wider`."""
    parser.epilog = _EPILOG
    parser.add_argument("data", metavar="DATA", type=Path, help="folder of the set")
    parser.add_argument(
        "--ground-truth", metavar="PATH", type=Path, help="folder with the four .mat files, or the text file"
    )
    running.add_arguments(parser, out="wider-evaluation", unit="pictures, spread over the set")
    add_parameters(parser, _PARAMETERS)


def run(args: argparse.Namespace) -> int:
    """Detect what is not detected yet, measure, write and print; returns the exit status."""
    return running.run("wider", args, partial(_evaluate, args))


def _evaluate(args: argparse.Namespace, client: FaceClient) -> running.Outcome:
    # Not at the top: `faces evaluate --help` must work without the extra.
    from face_tools.evaluation.plots import plot_precision_recall
    from face_tools.evaluation.results import evenly
    from face_tools.evaluation.wider import IMAGES_FOLDER, OPTIONS, DetectionTask, measure
    from face_tools.evaluation.wider_truth import find_truth, read_truth

    truth = read_truth(args.ground_truth or find_truth(args.data))
    names = evenly(list(truth.pictures), args.limit)
    task = DetectionTask(client, {**OPTIONS, **parameters_from(args)}, args.in_flight)
    pictures = {name: args.data / IMAGES_FOLDER / name for name in names}
    with running.results(args, "detections.jsonl", task.settings()) as results:
        gaps = running.fill(task, results, pictures)
        report = measure(truth, results, names)
    plot_precision_recall(report.curves, args.out / "precision-recall.png")
    _warn(report)
    return running.Outcome(
        settings=task.settings(),
        source=truth.source,
        whole=len(names) == len(truth.pictures),
        gaps=gaps,
        report=report.to_dict(),
        header=_HEADER,
        rows=list(_rows(report)),
    )


def _rows(report: WiderReport) -> Iterator[tuple[str, ...]]:
    for name, subset in report.to_dict()["subsets"].items():
        values = (subset[key] for key in ("average_precision", "recall", "precision"))
        yield name, str(subset["faces"]), *("-" if value is None else f"{value:.4f}" for value in values)


def _warn(report: WiderReport) -> None:
    if report.truncated:
        console.message(
            f"in {report.truncated} of {report.pictures} pictures the server dropped candidates at its limit; "
            "faces may be missing, a larger --min-face-size leaves fewer"
        )
