"""`faces evaluate`: accuracy on standard sets and on one's own pictures, one verb a set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar

from face_client.errors import InvalidInput
from face_command import console, outputs
from face_command.arguments import whole
from face_tools import need_extra
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    OF_DETECTION,
    NotReady,
    add_connection,
    add_parameters,
    add_patience,
    add_random_weights,
    in_one_line,
    open_client,
    parameters_from,
)
from face_tools.evaluation import options

if TYPE_CHECKING:
    from face_client import FaceClient
    from face_tools.evaluation.results import ResultsFile, Task

HELP = "measure accuracy: on WIDER FACE, Labeled Faces in the Wild or pictures of your own"

# Nobody waits for one picture here, and on a slow machine those that are in flight wait for each other.
_TIMEOUT_S = 300.0

_REPORT = "report.json"
_CURVES = {"wider": "precision-recall.png", "lfw": "roc.png"}

# So many pictures that failed are named at the terminal.
_NAMED = 5

_EPILOG = """\
The standard sets must be on this machine; docs/evaluation.md says where they come from and how they lie. A run that is
interrupted goes on where it stopped.

examples:
  faces evaluate wider WIDER/                         average precision of detection: easy, medium, hard
  faces evaluate lfw lfw/ --pairs pairs.txt           accuracy of recognition over ten folds, ROC curve
  faces evaluate thresholds labels.jsonl              precision and recall by threshold on your own pictures
  faces evaluate wider --help
"""

_WIDER_EPILOG = """\
DATA holds WIDER_val/images/ and the ground truth: the four .mat files of the evaluation tools in ground_truth/
(easy, medium and hard), or wider_face_split/wider_face_val_bbx_gt.txt (all valid faces as one subset).

Unlike `faces detect` this asks for faces from 10 pixels and for unlikely ones, as a precision-recall curve needs
and as others measured the published networks: --min-face-size 10 --threshold-pnet 0.5 --threshold-rnet 0.5
--threshold-onet 0.3 --factor 0.79.

examples:
  faces evaluate wider WIDER/ --limit 100             a try-out on 100 pictures
  faces evaluate wider WIDER/ --out wider/            goes on from what is in wider/ already
  faces evaluate wider WIDER/ --ground-truth wider_face_split/wider_face_val_bbx_gt.txt
"""

_LFW_EPILOG = """\
DATA holds a folder a person, NAME/NAME_0001.jpg and so on, and pairs.txt, unless --pairs names it. The face of a
picture is the one that --selection chooses, cut with --margin; where none is
found, the centre of the picture stands in and is counted.

examples:
  faces evaluate lfw lfw/ --limit 600                 a try-out on 600 pairs
  faces evaluate lfw lfw/ --pairs pairs.txt --out lfw-vggface2/
  faces evaluate lfw lfw/ --mirror                    with each crop's mirror image beside it
"""

_THRESHOLDS_EPILOG = """\
LABELS has a line of JSON for each picture, as `faces detect --json` prints it; only "image" and each face's "box" are
read. Correct such a file by eye: delete what is no face, add the boxes of missed ones, keep pictures without any
("faces": []). A name that ends in .txt is read as WIDER FACE's text (x, y, width, height and six attributes).
A detection is right where it overlaps a marked face by half (intersection over union).

examples:
  faces detect photos/ --json --threshold-onet 0.1 > labels.jsonl      then correct labels.jsonl
  faces evaluate thresholds labels.jsonl
  faces evaluate thresholds labels.jsonl --min-face-size 40 --out from-40/
"""

_EVERY_EPILOG = """
Written into --out: the answers picture by picture, report.json{curve}.
exit status: 0 every picture counted, 1 some were missing or failed, or a file could not be written, 2 wrong usage,
3 no server, or none with a trained FaceNet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sets and their arguments."""
    parser.epilog = _EPILOG
    sets = parser.add_subparsers(title="sets", metavar="SET", required=True)

    wider = _add_set(sets, "wider", "average precision of detection on WIDER FACE: easy, medium, hard", _wider)
    wider.epilog = _WIDER_EPILOG + _EVERY_EPILOG.format(curve=" and precision-recall.png")
    wider.add_argument("data", metavar="DATA", type=Path, help="folder of the set")
    wider.add_argument(
        "--ground-truth", metavar="PATH", type=Path, help="folder with the four .mat files, or the text file"
    )
    _add_common(wider, out="wider-evaluation", unit="pictures, spread over the set")
    add_parameters(wider, OF_DETECTION, own=options.WIDER)

    lfw = _add_set(sets, "lfw", "accuracy of recognition on Labeled Faces in the Wild: ten folds, ROC curve", _lfw)
    lfw.epilog = _LFW_EPILOG + _EVERY_EPILOG.format(curve=" and roc.png")
    lfw.add_argument("data", metavar="DATA", type=Path, help="folder of the people's folders")
    lfw.add_argument("--pairs", metavar="FILE", type=Path, help="the list of pairs (DATA/pairs.txt)")
    lfw.add_argument("--mirror", action="store_true", help="compare the mirrored crops too")
    add_random_weights(lfw)
    _add_common(lfw, out="lfw-evaluation", unit="pairs, as many of each fold and kind")
    add_parameters(lfw, (*OF_DETECTION, "selection", "margin", "align"), own=options.LFW)

    own = _add_set(sets, "thresholds", "precision and recall by threshold on pictures of your own", _thresholds)
    own.epilog = _THRESHOLDS_EPILOG + _EVERY_EPILOG.format(curve="")
    own.add_argument("labels", metavar="LABELS", type=Path, help="the faces of each picture")
    own.add_argument(
        "--pictures", metavar="DIR", type=Path, default=Path(), help="where the names in LABELS begin (here)"
    )
    _add_common(own, out="thresholds-evaluation", unit="pictures, spread over the list")
    add_parameters(own, OF_DETECTION)


def _add_set(
    sets: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, measure: Measure
) -> argparse.ArgumentParser:
    parser = sets.add_parser(name, help=text, description=text)
    parser.set_defaults(set=name, measure=measure)
    return parser


def _add_common(parser: argparse.ArgumentParser, out: str, unit: str) -> None:
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path(out), help="results; a next run goes on there (%(default)s)"
    )
    parser.add_argument("--limit", type=whole(1), metavar="N", help=f"try out N {unit}")
    parser.add_argument("--json", action="store_true", help="print report.json instead of the table")
    outputs.add_force(parser)
    add_connection(parser)
    parser.set_defaults(timeout=_TIMEOUT_S)
    add_patience(parser)


class Gaps(NamedTuple):
    """Pictures that are not part of the measure. missing: no file; failed: name → reason."""

    missing: list[str]
    failed: dict[str, str]


class Outcome(NamedTuple):
    """What a set's run gives. whole: False for a try-out. report: for JSON; header and rows: for the table."""

    parameters: Mapping[str, Any]
    source: Path
    whole: bool
    gaps: Gaps
    report: Mapping[str, Any]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


Measure = Callable[[argparse.Namespace, "FaceClient"], Outcome]


def run(args: argparse.Namespace) -> int:
    """Ask for what is not known yet, measure, write and print; returns the exit status."""
    need_extra("evaluate")
    return in_one_line(f"evaluate {args.set}", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    _check_outputs(args)
    try:
        with open_client(args) as client:
            outcome: Outcome = args.measure(args, client)
    except NotReady:
        console.message(f"what is done is kept in {args.out}")
        raise
    document = json.dumps(_document(args.set, outcome), indent=2)
    outputs.write_text(args.out / _REPORT, document + "\n")
    if args.json:
        console.line(document)
    else:
        console.print_table(outcome.header, outcome.rows)
    _remark(args.out, outcome)
    return EXIT_SOME_FAILED if any(outcome.gaps) else EXIT_OK


def _check_outputs(args: argparse.Namespace) -> None:
    """Raises OutputRefused where files would be lost that no evaluation wrote, or none can be written."""
    reads = outputs.identities(path for path in map(vars(args).get, ("labels", "pairs", "ground_truth")) if path)
    outputs.check_folder("--out", args.out)
    curve = {_CURVES[args.set]} if args.set in _CURVES else set()
    for name in (_REPORT, *curve):
        outputs.check_replaceable("--out", args.out / name, reads=reads, is_ours=_is_beside_report, force=args.force)


def _is_beside_report(path: Path) -> bool:
    """Whether the folder has an evaluation's report: a curve has no words of its own to know it by."""
    try:
        document = json.loads(path.with_name(_REPORT).read_bytes())
    except ValueError:
        return False
    return isinstance(document, dict) and document.keys() >= {"set", "complete", "ground_truth"}


def _wider(args: argparse.Namespace, client: FaceClient) -> Outcome:
    # Not at the top: `faces evaluate --help` must work without the extra.
    from face_tools.evaluation.plots import plot_precision_recall
    from face_tools.evaluation.results import evenly
    from face_tools.evaluation.wider import IMAGES_FOLDER, DetectionTask, measure
    from face_tools.evaluation.wider_truth import find_truth, read_truth

    truth = _read(read_truth, args.ground_truth or find_truth(args.data))
    names = evenly(list(truth.pictures), args.limit)
    task = DetectionTask(client, {**options.WIDER, **parameters_from(args)}, args.in_flight)
    pictures = {name: args.data / IMAGES_FOLDER / name for name in names}
    with _results(args, "detections.jsonl", task) as results:
        gaps = _fill(task, results, pictures, args.wait)
        report = measure(truth, results, names)
    plot_precision_recall(report.curves, args.out / _CURVES[args.set])
    if report.truncated:
        console.message(
            f"in {report.truncated} of {report.pictures} pictures the server dropped candidates; "
            "faces may be missing, a larger --min-face-size leaves fewer"
        )
    return Outcome(
        parameters=task.options,
        source=truth.source,
        whole=len(names) == len(truth.pictures),
        gaps=gaps,
        report=report.to_dict(),
        header=("subset", "faces", "average precision", "recall", "precision"),
        rows=list(report.rows()),
    )


def _thresholds(args: argparse.Namespace, client: FaceClient) -> Outcome:
    # Not at the top: `faces evaluate --help` must work without the extra.
    from face_tools.evaluation.results import evenly
    from face_tools.evaluation.thresholds import OPTIONS, measure, read_labels
    from face_tools.evaluation.wider import DetectionTask

    truth = _read(read_labels, args.labels)
    names = evenly(list(truth.pictures), args.limit)
    task = DetectionTask(client, {**OPTIONS, **parameters_from(args)}, args.in_flight, args.set)
    with _results(args, "detections.jsonl", task) as results:
        gaps = _fill(task, results, {name: args.pictures / name for name in names}, args.wait)
        report = measure(truth, results, names)
    return Outcome(
        parameters=task.options,
        source=truth.source,
        whole=len(names) == len(truth.pictures),
        gaps=gaps,
        report=report.to_dict(),
        header=("threshold", "found", "false", "missed", "precision", "recall"),
        rows=list(report.rows()),
    )


def _lfw(args: argparse.Namespace, client: FaceClient) -> Outcome:
    # Not at the top: `faces evaluate --help` must work without the extra.
    from face_tools.evaluation.lfw import PAIRS_FILE, EmbeddingTask, measure, pictures_of, read_pairs, spread
    from face_tools.evaluation.plots import plot_roc

    source = args.pairs or args.data / PAIRS_FILE
    every = _read(read_pairs, source)
    pairs = spread(every, args.limit)
    task = EmbeddingTask(
        client, {**options.LFW, **parameters_from(args)}, args.in_flight, args.mirror, args.random_weights
    )
    pictures = {name: args.data / name for name in pictures_of(pairs)}
    with _results(args, "embeddings.jsonl", task) as results:
        gaps = _fill(task, results, pictures, args.wait)
        report = measure(pairs, results)
    plot_roc(report.roc, args.out / _CURVES[args.set])
    if report.without_face:
        console.message(
            f"no face was found in {len(report.without_face)} of {report.pictures} pictures; their centres stand in"
        )
    return Outcome(
        parameters=task.options,
        source=source,
        whole=len(pairs) == len(every),
        gaps=gaps,
        report={**report.to_dict(), "random_weights": args.random_weights},
        header=("measure", "value"),
        rows=list(report.rows()),
    )


Read = TypeVar("Read")


def _read(read: Callable[[Path], Read], path: Path) -> Read:
    """What a file given holds. Raises InvalidInput also where it cannot be read: then the argument is wrong."""
    try:
        return read(path)
    except OSError as error:
        raise InvalidInput(f"{error.filename or path} cannot be read: {error.strerror or error}") from error


def _results(args: argparse.Namespace, name: str, task: Task) -> ResultsFile:
    """The file of results in --out. Raises InvalidInput where it was made with other settings."""
    from face_tools.evaluation.results import ResultsFile

    return ResultsFile(args.out / name, task.settings(), task.keys)


def _fill(task: Task, results: ResultsFile, pictures: Mapping[str, Path], wait: float) -> Gaps:
    """Ask for the pictures that the results lack, with a bar. Raises NotReady, InvalidInput."""
    from face_tools.evaluation.results import collect, missing_files

    known = sum(name in results for name in pictures)
    if known:
        console.message(f"{known} of {len(pictures)} pictures are in {results.path} already")
    missing = missing_files(pictures, results)
    _name("not there", dict.fromkeys(missing, "no such file"))
    wanted = {name: path for name, path in pictures.items() if name not in set(missing)}
    answers = console.tracked(collect(task, results, wanted, wait), len(wanted), done=known)
    failed = dict(failure for failure in answers if failure is not None)
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
        "parameters": outcome.parameters,
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
