"""What can be asked of a target: `faces batch verify` and `faces batch sample`."""

import argparse
from functools import partial

from face_batch.errors import BadSource
from face_batch.manifest import Run, Target
from face_batch.sample import draw_sheet
from face_batch.verify import verify
from face_command.console import message
from face_command.outputs import check_file, write_whole
from face_pictures.marks import SHEET, mark, marked


def verify_target(args: argparse.Namespace) -> int:
    """Prints what is wrong; returns 0 where nothing is. Raises BatchError."""
    target = Target.at(args.target)
    run = _run_of(target, args.target)
    wrong = verify(target, run)
    for sentence in wrong:
        print(sentence)
    if wrong:
        message(f"faces batch: {args.target} is not what its manifest says; delete such files, and go on with --resume")
        return 1
    print(f"{args.target} is complete: {run.items:,} pictures in {run.shards} files, each there once")
    return 0


def draw_sample(args: argparse.Namespace) -> int:
    """Writes the sheet; returns the exit status. Raises BatchError, OutputError."""
    target = Target.at(args.target)
    run = _run_of(target, args.target)
    check_file("--out", args.out, is_ours=lambda path: marked(path) == SHEET, force=args.force)
    sheet = draw_sheet(target, run, args.count, args.seed)
    write_whole(args.out, partial(sheet.save, format="PNG", exif=mark(SHEET)))
    message(f"written: {args.out}")
    return 0


def _run_of(target: Target, address: str) -> Run:
    run = target.run()
    if run is None:
        raise BadSource(f"{address} holds no run of `faces batch`")
    return run
