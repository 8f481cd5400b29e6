"""`make train-demo`: the whole way on a small set, in minutes on two cores of a CPU.

Generates pictures in the formats of WIDER FACE and the facial point set, trains PNet, RNet and ONet from random
weights, exports them, serves them by a real Triton, and says what they find in pictures that were kept back. Beside it:
the published networks, and the published networks after one more epoch on this set, on the same pictures and on the
sample photo.
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from face_command.console import message, print_table
from face_command.main import main as faces
from face_command.parser import Parser
from face_training.errors import TrainingError
from face_training.learning.trainable import PRETRAINED
from face_training.rehearsal.serving import Accuracy, accuracy, draw_curves, make_repository, served_boxes
from face_training.rehearsal.sets import photo_with_face, write_facial_points, write_wider
from face_training.workplace import STAGES, Workplace, write_text

_TRAIN, _VALIDATION, _POINTS = 300, 60, 200

_FROM_RANDOM: Mapping[str, Sequence[str]] = {
    "pnet": ("--epochs", "12", "--batch-size", "256", "--batches", "100"),
    "rnet": ("--epochs", "8", "--batch-size", "128", "--batches", "60"),
    "onet": ("--epochs", "8", "--batch-size", "64", "--batches", "60", "--mined-negatives", "20"),
}
_EPOCH = ("--init", PRETRAINED, "--epochs", "1", "--batch-size", "128", "--learning-rate", "1e-4")
_TUNED: Mapping[str, Sequence[str]] = {"pnet": _EPOCH, "rnet": _EPOCH, "onet": (*_EPOCH, "--mined-negatives", "20")}

_MADE = ("WIDER", "FACES", "work", "tuned", "repository")
_MARK = ".train-demo"
"""Says that folders of these names are the demo's: real sets have the same names."""

_TRAINED_NAME, _PUBLISHED_NAME, _TUNED_NAME = "trained from random weights", "published", "published, one more epoch"


def main() -> int:
    """Everything; 0 if the trained cascade finds most of the held-out faces and no face of the photo is lost."""
    parser = Parser(prog="python -m face_training.rehearsal", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("train-demo"), help="for all of it (default: %(default)s)")
    out: Path = parser.parse_args().out
    try:
        return _rehearse(out)
    except TrainingError as error:
        message(f"train-demo: {error}")
        return 1


def _rehearse(out: Path) -> int:
    clear(out)
    start = time.monotonic()

    def tell(done: str) -> None:
        message(f"{time.monotonic() - start:.0f} s: {done}")

    validation = write_wider(out / "WIDER", "val", _VALIDATION, np.random.default_rng(2))
    write_wider(out / "WIDER", "train", _TRAIN, np.random.default_rng(1))
    write_facial_points(out / "FACES", _POINTS, np.random.default_rng(3))
    tell("pictures generated")
    _train(out, "work", _FROM_RANDOM)
    draw_curves(Workplace(out / "work"), out / "curves.png")
    tell("trained from random weights")
    _train(out, "tuned", _TUNED)
    tell("published weights trained on for one epoch")

    photo, face = photo_with_face(out)
    pictures = [*sorted((out / "WIDER" / "WIDER_val").rglob("*.jpg")), photo]
    truth = [*(picture.boxes for picture in validation), face]
    found: dict[str, tuple[Accuracy, Accuracy]] = {}
    for name, weights in _cascades(out).items():
        make_repository(out / "repository", weights)
        boxes = served_boxes(out / "repository", pictures)
        found[name] = accuracy(boxes[:-1], truth[:-1]), accuracy(boxes[-1:], truth[-1:])
        tell(f"served and asked: {name}")
    header = ("cascade", "recall", "precision", "faces", "false boxes", "face of the photo")
    print_table(header, map(_row, found.items()))
    held_out, (_, photo_now) = found[_TRAINED_NAME][0], found[_TUNED_NAME]
    return 0 if min(held_out.recall, held_out.precision) > 0.5 and photo_now.found == photo_now.faces else 1


def clear(out: Path) -> None:
    """Removes what an earlier demo left. Raises TrainingError where folders of such names may be somebody else's."""
    there = [out / name for name in _MADE if (out / name).exists()]
    mark = out / _MARK
    if there and not mark.exists():
        raise TrainingError(f"{there[0]} would be removed, and no demo is known to have made it: name another --out")
    for folder in there:
        shutil.rmtree(folder, ignore_errors=True)
    write_text(mark, "")


def _train(out: Path, work: str, options: Mapping[str, Sequence[str]]) -> None:
    sets = ("--wider", str(out / "WIDER"), "--landmarks", str(out / "FACES"))
    _faces("train", "prepare", str(out / work), *sets)
    for stage in STAGES:
        _faces("train", stage, str(out / work), *options[stage])


def _faces(*words: str) -> None:
    if faces(words) != 0:
        raise TrainingError(f"`faces {' '.join(words)}` failed")


def _cascades(out: Path) -> dict[str, dict[str, str]]:
    """The weights of each cascade that is asked."""
    trained, tuned = Workplace(out / "work"), Workplace(out / "tuned")
    return {
        _TRAINED_NAME: {stage: str(trained.weights(stage)) for stage in STAGES},
        _PUBLISHED_NAME: dict.fromkeys(STAGES, PRETRAINED),
        _TUNED_NAME: {stage: str(tuned.weights(stage)) for stage in STAGES},
    }


def _row(entry: tuple[str, tuple[Accuracy, Accuracy]]) -> tuple[str, ...]:
    name, (held_out, photo) = entry
    numbers = f"{held_out.recall:.3f}", f"{held_out.precision:.3f}", f"{held_out.faces}", f"{held_out.false}"
    return name, *numbers, "found" if photo.found else "lost"


if __name__ == "__main__":
    sys.exit(main())
