"""The pictures that a candidate is judged by, and what each side says of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from face_cascade import DetectionParameters
from face_client.canary import ask_canary
from face_client.cli import console
from face_client.cli.files import plan
from face_client.client import FaceClient
from face_client.errors import FaceError
from face_client.images import InvalidImage, decode_image
from face_client.options import DetectOptions
from face_deploy.answers import Answer
from face_deploy.cascade import LocalCascade
from face_deploy.comparison import compare
from face_deploy.errors import DeployError

if TYPE_CHECKING:
    from face_client.evaluation.wider_truth import Truth

# A server on a GPU, or with other instructions, rounds otherwise: a face at the threshold may come or go.
_LEAST_SAME = 0.9

_ASKED_OF_SERVER = 16


@dataclass(frozen=True)
class Answers:
    """Of the live and the candidate networks, by the name of the picture."""

    live: Mapping[str, Answer]
    candidate: Mapping[str, Answer]


@dataclass(frozen=True)
class Album:
    """pictures: by their path in the folder. truth: where their faces are, if anybody knows."""

    pictures: Mapping[str, Path]
    truth: "Truth | None" = None


def find_pictures(folder: Path) -> Album:
    """Those in a folder and below. Raises DeployError where there are none."""
    if not folder.is_dir():
        raise DeployError(f"{folder} is no folder of pictures")
    try:
        paths = [job.path for job in plan([str(folder)], None)]
    except ValueError as error:
        raise DeployError(str(error)) from error
    return Album({path.relative_to(folder).as_posix(): path for path in paths})


def ask_both(
    live: LocalCascade, candidate: LocalCascade, pictures: Mapping[str, Path], options: DetectOptions
) -> Answers:
    """What both find. A picture that cannot be read is told and left out.

    Each picture is asked twice of both in turn, and the faster time counts: other work on the machine takes from both.
    Raises DeployError where no picture can be read.
    """
    parameters = DetectionParameters.parse(dict(options))
    live_answers: dict[str, Answer] = {}
    candidate_answers: dict[str, Answer] = {}
    for name, path in console.tracked(pictures.items(), len(pictures)):
        try:
            image = decode_image(path.read_bytes())
        except (InvalidImage, OSError) as error:
            console.message(f"faces deploy: {path}: {error}")
            continue
        runs = [(live.detect(image, parameters), candidate.detect(image, parameters)) for _ in range(2)]
        for side, found in zip((live_answers, candidate_answers), zip(*runs, strict=True), strict=True):
            side[name] = replace(found[0], seconds=min(answer.seconds for answer in found))
    if not live_answers:
        raise DeployError("none of the pictures can be read")
    return Answers(live_answers, candidate_answers)


def differs(
    client: FaceClient, expected: Mapping[str, Answer], pictures: Mapping[str, Path], options: DetectOptions
) -> str:
    """In how far a server's answers to some of the pictures are others than expected; empty where they are not.

    Raises DeployError where it does not answer.
    """
    # Pictures with faces say more.
    names = sorted(expected, key=lambda name: len(expected[name].boxes) == 0)[:_ASKED_OF_SERVER]
    with _server_answers():
        found = [
            Answer(faces.boxes, faces.landmarks, faces.probabilities)
            for faces in client.detect_batch([pictures[name] for name in names], **options)
        ]
    same = compare([expected[name] for name in names], found).tight_agreement
    if same is None or same >= _LEAST_SAME:
        return ""
    return f"only {same:.3f} of the faces in {len(names)} pictures are the same"


def check_alive(client: FaceClient) -> None:
    """Raises DeployError unless the server answers to a small picture."""
    with _server_answers():
        ask_canary(client)


@contextmanager
def _server_answers() -> Iterator[None]:
    try:
        yield
    except FaceError as error:
        raise DeployError(f"the server does not answer: {error}") from error
