"""`faces train pnet`, `rnet`, `onet` and `all`: samples, training, weight files."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from face_command.arguments import number, whole
from face_command.console import message, tracked
from face_training.cli.training import (
    add_processes,
    add_training_arguments,
    check_run,
    follow_samples,
    print_epoch,
    training_settings,
)
from face_training.settings import SampleSettings, TrainingSettings
from face_training.workplace import STAGES, Workplace, stages_before

if TYPE_CHECKING:  # torch takes a second to import, which `--help` should not wait for
    from face_training.annotations.pictures import AnnotatedPicture
    from face_training.learning.train_stage import StageRun

HELPS = {
    "pnet": "train PNet on random crops of the pictures",
    "rnet": "train RNet on what PNet finds in the pictures",
    "onet": "train ONet on what PNet and RNet find, and on landmarks",
    "all": "train PNet, RNet and ONet one after the other",
}

_EPILOGS = {
    "pnet": """\
examples:
  faces train pnet work/
  faces train pnet work/ --init pretrained --learning-rate 1e-4 --epochs 5      from the published weights
""",
    "rnet": """\
examples:
  faces train rnet work/
  faces train rnet work/ --pnet pretrained       on what the published PNet finds
""",
    "onet": """\
examples:
  faces train onet work/
  faces train onet work/ --init pretrained --pnet pretrained --rnet pretrained --learning-rate 1e-4 --epochs 5
""",
    "all": """\
examples:
  faces train all work/
  faces train all work/ --init pretrained --learning-rate 1e-4 --epochs 5
  faces train all work/ --epochs 2 --batches 200      a try-out
""",
}

_SAMPLE_HELP = {
    "negatives": "PNet's negatives of a picture, anywhere",
    "near": "PNet's negatives around each face",
    "around": "PNet's tries for positives and parts around each face",
    "shifts": "tries for landmark samples of each face, and of its mirror image",
    "mined_negatives": "the likeliest candidates of a picture that are no faces",
    "min_face_size": "pixels; when the cascade mines",
    "threshold_pnet": "when the cascade mines",
    "threshold_rnet": "when the cascade mines",
    "factor": "from one pyramid level to the next, when the cascade mines",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the arguments of a stage, or of all."""
    parser.epilog = _EPILOGS[verb]
    parser.add_argument("work", type=Path, help="the work folder of `faces train prepare`")
    parser.add_argument("--init", metavar="WEIGHTS", help=_init_help(verb))
    for stage in stages_before(verb) if verb in STAGES else ():
        parser.add_argument(
            f"--{stage}",
            metavar="WEIGHTS",
            help=f"the {stage} to mine with: `pretrained` or a file (default: the work folder's own)",
        )
    add_processes(parser)
    add_training_arguments(parser, TrainingSettings())
    group = parser.add_argument_group("samples")
    for field in fields(SampleSettings):
        if field.name in _SAMPLE_HELP:
            group.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=whole() if isinstance(field.default, int) else number(0),
                default=field.default,
                metavar="N",
                help=f"{_SAMPLE_HELP[field.name]} (default: %(default)s)",
            )


def _init_help(verb: str) -> str:
    if verb == "all":
        return "first weights: `pretrained`, or the work folder of another training (default: random)"
    return "first weights: `pretrained` or a file (default: random)"


def run(args: argparse.Namespace) -> int:
    """Train what was asked for."""
    from face_training.annotations.index import read_index

    pictures = read_index(args.work)
    runs = [_stage_run(args, stage) for stage in (STAGES if args.verb == "all" else (args.verb,))]
    for stage_run in runs:
        check_run(args, "WORK", stage_run.files, stage_run.init)
        stage_run.check()
    if args.fresh:
        for stage_run in runs:
            stage_run.clear()
    for stage_run in runs:
        _train(stage_run, pictures, args)
    return 0


def _stage_run(args: argparse.Namespace, stage: str) -> "StageRun":
    from face_training.learning.train_stage import StageRun

    samples = SampleSettings(**{field.name: getattr(args, field.name) for field in fields(SampleSettings)})
    init = args.init
    if args.verb == "all" and init is not None and Path(init).is_dir():
        init = str(Workplace(Path(init)).weights(stage))
    before = {name: getattr(args, name, None) for name in stages_before(stage)}
    named = {name: choice for name, choice in before.items() if choice is not None}
    return StageRun(Workplace(args.work), stage, samples, training_settings(args), init, named, args.trust)


def _train(run: "StageRun", pictures: "list[AnnotatedPicture]", args: argparse.Namespace) -> None:
    from face_training.learning.engine import best_device
    from face_training.samples.records import Kind

    follow_samples(lambda tell: run.make_samples(pictures, args.processes, tell), len(pictures), run.stage)
    store = run.store()
    kinds = store.column("kind")
    counts = ", ".join(f"{(kinds == kind).sum():,} {kind.name.lower()}" for kind in Kind)
    message(f"{run.stage}: {len(store):,} samples: {counts}")
    engine = run.engine(store, best_device())
    left = engine.settings.epochs - engine.epoch
    for _ in tracked(engine.run(), left, what=f"{run.stage} epochs"):
        pass
    print_epoch(engine.history[-1], stage=run.stage)
    message(f"written: {', '.join(map(str, run.write_weights(engine)))}")
