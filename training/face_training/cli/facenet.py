"""`faces train facenet`: FaceNet fine-tuned on a folder of people."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face_command.arguments import existing_folder, number, whole
from face_command.console import message, tracked
from face_export.published import DEFAULT, RANDOM, cache_directory
from face_training.cli.training import (
    add_processes,
    add_training_arguments,
    check_run,
    follow_samples,
    print_epoch,
    training_settings,
)
from face_training.settings import CropSettings, TrainingSettings
from face_training.workplace import SAMPLES, STAGES, clear_run, write_text

if TYPE_CHECKING:  # torch takes a second to import, which `--help` should not wait for
    from face_export.weights import Weights
    from face_training.samples.people import PersonPicture
    from face_training.samples.store import Shards

HELP = "fine-tune FaceNet as a classifier of the people in a folder"

_EPILOG = """\
PEOPLE has a folder a person with pictures in it. The cascade finds each picture's largest face and cuts it out as the
service does; every fifth picture of a person is kept for validation.

examples:
  faces train facenet people/ --out work/facenet
  faces train facenet people/ --out work/facenet --init casia-webface --margin 14 --epochs 12
  faces export --facenet work/facenet/facenet.pt
"""

_DEFAULTS = TrainingSettings(epochs=8, batch_size=32, weight_decay=0.0, steps=(0.625,))
"""As in facenet-pytorch's example: Adam, rate 0.001, divided by ten after five of eight epochs."""


_WEIGHTS = "facenet.pt"
_PEOPLE = "people.json"


def add_arguments(parser: argparse.ArgumentParser, _verb: str) -> None:
    """Declare the arguments of `faces train facenet`."""
    parser.epilog = _EPILOG
    parser.add_argument("people", type=existing_folder, help="a folder a person")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where crops, checkpoint and weights go")
    parser.add_argument(
        "--init",
        default=DEFAULT,
        metavar="WEIGHTS",
        help=f"first weights: vggface2, casia-webface, a state dict's path, or {RANDOM} (default: %(default)s)",
    )
    parser.add_argument("--cache", type=Path, default=cache_directory(), metavar="DIR", help="where downloads are kept")
    group = parser.add_argument_group("crops")
    group.add_argument("--margin", type=whole(), default=0, metavar="PIXELS", help="around the box (default: 0)")
    group.add_argument("--align", action="store_true", help="cut by the landmarks instead of the box")
    group.add_argument(
        "--min-face-size", type=number(above=0), default=20, metavar="PIXELS", help="(default: %(default)s)"
    )
    add_processes(parser)
    add_training_arguments(parser, _DEFAULTS)


def run(args: argparse.Namespace) -> int:
    """Crops, training, weight file."""
    from face_export.readers.facenet import load
    from face_training.samples.people import read_people

    check_run(args, "--out", (args.out / _WEIGHTS, args.out / _PEOPLE), args.init)
    # Whatever may be missing is looked for before anything is removed or made.
    names, pictures = read_people(args.people.resolve(), message)
    weights = load(args.init, args.cache, None, args.trust)
    if args.fresh:
        clear_run(args.out)
    crops = _make_crops(args, pictures)
    unseen = set(range(len(names))) - set(crops.column("person").tolist())
    if unseen:
        message(f"facenet: no face was found of {', '.join(names[n] for n in sorted(unseen))}")
    _train(args, crops, names, weights)
    return 0


def _make_crops(args: argparse.Namespace, pictures: "list[PersonPicture]") -> "Shards":
    from face_training.learning.trainable import PRETRAINED, stage_arrays
    from face_training.samples.making import make_samples
    from face_training.samples.people import CROP, crop_plan
    from face_training.samples.store import Shards

    weights = {stage: stage_arrays(stage, PRETRAINED) for stage in STAGES}
    settings = CropSettings(args.margin, args.align, min_face_size=args.min_face_size)
    plan = crop_plan(args.out / SAMPLES, settings, weights, pictures)
    follow_samples(lambda tell: make_samples(plan, pictures, args.processes, tell), len(pictures), "facenet")
    crops = Shards(plan.folder, CROP)
    message(f"facenet: a face in {len(crops):,} of {len(pictures):,} pictures")
    return crops


def _train(args: argparse.Namespace, crops: "Shards", names: Sequence[str], weights: "Weights") -> None:
    from face_export.weights import digest
    from face_training.learning.engine import Engine, best_device
    from face_training.learning.facenet_task import FaceNetTask, with_classifier
    from face_training.learning.trainable import write_state_dict
    from face_training.samples.store import recipe_digest

    settings, device = training_settings(args), best_device()
    network = with_classifier(weights, len(names), settings.seed)
    provenance = {"people": list(names), "first weights": digest(network), "crops": recipe_digest(args.out / SAMPLES)}
    engine = Engine(FaceNetTask(network, crops, settings, device), args.out, settings, provenance, device)
    for _ in tracked(engine.run(), settings.epochs - engine.epoch, what="facenet epochs"):
        pass
    print_epoch(engine.history[-1])
    write_state_dict(args.out / _WEIGHTS, engine.task.network)
    write_text(args.out / _PEOPLE, json.dumps(list(names), indent=2, ensure_ascii=False) + "\n")
    message(f"written: {args.out / _WEIGHTS}, {_PEOPLE} (who is which score)")
