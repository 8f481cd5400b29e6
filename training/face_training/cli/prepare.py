"""`faces train prepare`: read annotations, check the pictures, write the index."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from face_command import outputs
from face_command.arguments import whole
from face_command.console import message, print_table, tracked
from face_training.annotations.index import INDEX, REPORT, Report, checked, write_index
from face_training.annotations.lists import Listed, read_celeba, read_facial_points, read_wider
from face_training.annotations.pictures import AnnotatedPicture
from face_training.cli.training import check_output
from face_training.errors import AnnotationError

HELP = "read the annotations, check every picture, and say what is usable"

_EPILOG = """\
Boxes come from WIDER FACE, landmarks from the facial point lists or CelebA; the latter two have one annotated face a
picture, so they give landmark samples alone. At least --wider is needed to train PNet and RNet.
The list in the work folder is written anew each time, so name all sets at once.

examples:
  faces train prepare work/ --wider WIDER/ --landmarks FACES/
  faces train prepare work/ --wider WIDER/ --celeba CELEBA/ --limit 1000      a try-out
"""

_READERS: dict[str, tuple[str, Callable[[Path], Iterator[Listed]]]] = {
    "wider": ("WIDER FACE: the folder of WIDER_train and wider_face_split", read_wider),
    "landmarks": ("facial points: the folder of trainImageList.txt, lfw_5590 and net_7876", read_facial_points),
    "celeba": ("CelebA in the wild: the folder of Anno and img_celeba", read_celeba),
}


def add_arguments(parser: argparse.ArgumentParser, _verb: str) -> None:
    """Declare the arguments of `faces train prepare`."""
    parser.epilog = _EPILOG
    parser.add_argument("work", type=Path, help="the work folder; made if it is not there")
    for name, (text, _) in _READERS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=text)
    outputs.add_force(parser)
    parser.add_argument("--limit", type=whole(1), metavar="N", help="of each set its first N pictures (default: all)")


def run(args: argparse.Namespace) -> int:
    """Writes the index and prints the report."""
    chosen = {name: getattr(args, name) for name in _READERS if getattr(args, name) is not None}
    if not chosen:
        raise AnnotationError("name at least one set: --wider, --landmarks or --celeba")
    for name, key in ((INDEX, "faces"), (REPORT, "skipped")):
        check_output("WORK", args.work / name, is_ours=partial(_begins_with, key), force=args.force)
    pictures: list[AnnotatedPicture] = []
    reports = []
    for name, root in chosen.items():
        report = Report(name)
        listed = list(_READERS[name][1](root.resolve()))[: args.limit]
        pictures += checked(tracked(listed, len(listed)), report)
        reports.append(report)
    if not pictures:
        raise AnnotationError("none of the pictures can be used: " + _reasons(reports))
    write_index(args.work, pictures, reports)
    print_table(("set", "what", "number", "for example"), _rows(reports))
    message(f"written: {args.work / INDEX} ({len(pictures):,} pictures) and {REPORT}")
    return 0


def _begins_with(key: str, path: Path) -> bool:
    """Whether a file has JSON objects with this key, one a line or in one list, as the work folder's have."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        first = (json.loads(text) or [None])[0] if text.startswith("[") else json.loads(text.partition("\n")[0])
    except ValueError:
        return False
    return isinstance(first, dict) and key in first


def _rows(reports: Iterable[Report]) -> Iterator[tuple[str, str, str, str]]:
    for report in reports:
        yield report.name, "pictures", f"{report.pictures:,}", ""
        yield report.name, "faces", f"{report.faces:,}", ""
        yield report.name, "faces with landmarks", f"{report.landmarks:,}", ""
        for counts, what in ((report.skipped, "skipped pictures"), (report.ignored, "ignored faces")):
            for reason, count in counts.most_common():
                yield report.name, f"{what}: {reason}", f"{count:,}", report.examples[reason][0]


def _reasons(reports: Iterable[Report]) -> str:
    return "; ".join(f"{r.name}: {reason} ({n:,})" for r in reports for reason, n in r.skipped.most_common()) or "empty"
