"""What live networks and a candidate say of a set of pictures, and whether the candidate passes."""

import io
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from face_cascade import ONET, PNET, RNET, DetectionParameters, detect, drive
from face_cascade.compiled import COMPILED
from face_cascade.compiled.networks import CompiledNetwork
from face_client import FaceClient
from face_client.canary import ask_canary
from face_client.errors import FaceError, InvalidInput
from face_client.options import DetectOptions
from face_command import console
from face_deploy import comparison as report
from face_deploy.comparison import Accuracy, Answer, Gate, compare
from face_deploy.errors import DeployError, GateClosed
from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage
from face_repository.weights import read_weights
from face_runtime.processor import on_this_processor
from face_runtime.settings import cores
from face_tools.pictures import plan

if TYPE_CHECKING:
    from face_tools.evaluation.wider_truth import Truth


# The cascade with any versions of its networks, in this process: as a server on a CPU runs it, but apart from it.


_BY_NAME = {network.name: network for network in (PNET, RNET, ONET)}


class LocalCascade:
    """The cascade on the networks in these files, by name. Takes seconds to compile.

    Raises DeployError for a file that holds no weights.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        networks = {_BY_NAME[name]: _network(name, path) for name, path in files.items()}
        self._networks = on_this_processor(networks, cores())

    def detect(self, image: NDArray[np.uint8], parameters: DetectionParameters) -> Answer:
        """image: RGB UINT8 [H, W, 3]."""
        started = time.perf_counter()
        networks = self._networks
        (found,) = drive(detect([image], [parameters], networks.limits), networks.run, networks.map)
        seconds = time.perf_counter() - started
        return Answer(found.boxes, found.landmarks, found.probabilities, seconds)


def _network(name: str, path: Path) -> CompiledNetwork:
    try:
        return _compiled(name, path.read_bytes())
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DeployError(f"{path} holds no weights of {name} ({error}): export it with `faces export`") from error


@cache
def _compiled(name: str, archive: bytes) -> CompiledNetwork:
    """Both sides of a comparison share the networks in which they do not differ."""
    return COMPILED[_BY_NAME[name]](read_weights(io.BytesIO(archive)))


# The pictures that a candidate is judged by, and what each side says of them.


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


# Does a candidate pass? Its answers to a set of pictures against those of the live networks.


def with_labels(album: Album, file: Path) -> Album:
    """The pictures that an annotation knows, and it.

    Raises DeployError where it knows none, or cannot be read; ImportError without the client's extra `evaluate`.
    """
    # Imported here: without labels nothing needs the extra.
    from face_tools.evaluation.wider_truth import read_truth

    try:
        truth = read_truth(file)
    except (InvalidInput, OSError) as error:
        raise DeployError(f"cannot read the labels: {error}") from error
    labelled = {name: path for name, path in album.pictures.items() if name in truth.pictures}
    if not labelled:
        raise DeployError(f"{file} has no labels for any of the pictures")
    return Album(labelled, truth)


def judge(
    live: Mapping[str, Path],
    candidate: Mapping[str, Path],
    album: Album,
    gate: Gate,
    options: DetectOptions,
) -> Answers:
    """Shows how the candidate compares. live, candidate: files of all networks, and of those that are new.

    Raises GateClosed where that is not good enough.
    """
    console.message("comparing in this process; the server goes on answering")
    answers = ask_both(LocalCascade(live), LocalCascade({**live, **candidate}), album.pictures, options)
    comparison = compare(list(answers.live.values()), list(answers.candidate.values()))
    on_labels = _on_labels(answers, album.truth)
    console.print_table(report.HEADER, report.rows(comparison, *on_labels))
    failures = gate.failures(comparison, *on_labels)
    if failures:
        raise GateClosed(f"the candidate fails the gate: {'; '.join(failures)}; nothing was changed")
    console.message(f"the candidate passes the gate on {comparison.pictures} pictures")
    return answers


def _on_labels(answers: Answers, truth: "Truth | None") -> tuple[dict[str, Accuracy], dict[str, Accuracy]]:
    """Of live and candidate networks, by subset."""
    if truth is None:
        return {}, {}
    # Imported here for the same reason.
    from face_deploy.comparison import accuracy

    return accuracy(answers.live, truth), accuracy(answers.candidate, truth)
