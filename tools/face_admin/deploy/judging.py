"""What live networks and a candidate say of a folder of pictures, and whether the candidate passes."""

import time
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from face_admin.deploy.comparison import Accuracy, Answer, Comparison, Gate, accuracy, compare
from face_admin.deploy.errors import DeployError
from face_cascade import DetectionParameters, TooManyCandidates, drive
from face_cascade.networks import NETWORKS
from face_client import FaceClient
from face_client.canary import ask_canary
from face_client.errors import FaceError
from face_client.options import DetectOptions
from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage, InvalidInput
from face_pictures.folders import pictures_in
from face_pictures.formats import SUFFIXES
from face_runtime.processor import LocalNetwork, network_from_file, network_in_torch, on_this_processor
from face_runtime.settings import cores

if TYPE_CHECKING:
    from face_tools.evaluation.wider_truth import Truth


Named: TypeAlias = tuple[str, Path]
"""A picture's name, which is its path below the folder, and its path."""

Follow: TypeAlias = Callable[[Collection[Named]], Iterable[Named]]
"""Gives the pictures that it is given, one by one, so that somebody can watch how far they are. It is called before the
networks are compiled, which takes seconds."""

# A server on a GPU, or with other instructions, rounds otherwise: a face at the threshold may come or go.
_LEAST_SAME = 0.9

_ASKED_OF_SERVER = 16


class LocalCascade:
    """The cascade with any versions of its networks, in this process: as a server on a CPU runs it, but apart from it.

    files: the `model.pt` of each network, by its name. Takes seconds to compile. in_torch: names of those that torch
    runs, slowly, in the precision that they have on a GPU. warnings: of others that run in torch, a sentence each.
    Raises DeployError for a file that cannot be read.
    """

    def __init__(self, files: Mapping[str, Path], in_torch: Collection[str] = ()) -> None:
        loaded = {NETWORKS[name]: _loaded(name, path, name in in_torch) for name, path in files.items()}
        self._networks = on_this_processor({network: run for network, (run, _) in loaded.items()}, cores())
        self.warnings = [sentence for _, said in loaded.values() for sentence in said]

    def detect(self, image: NDArray[np.uint8], parameters: DetectionParameters) -> Answer:
        """image: RGB UINT8 [H, W, 3]."""
        started = time.perf_counter()
        networks = self._networks
        (found,) = drive(networks.detect([image], [parameters]), networks.run, networks.map)
        seconds = time.perf_counter() - started
        if isinstance(found, TooManyCandidates):
            raise DeployError(f"no photo may have so many likely places for a face: {found}")
        return Answer(found.boxes, found.landmarks, found.probabilities, seconds)


def _loaded(name: str, path: Path, in_torch: bool) -> tuple[LocalNetwork, Sequence[str]]:
    try:
        if in_torch:
            return network_in_torch(path), ()
        return _loaded_once(name, path, path.stat().st_mtime_ns)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise DeployError(f"{path} is no {name} that can be run ({reason}): export it with `faces export`") from error


@cache
def _loaded_once(name: str, path: Path, _changed: int) -> tuple[LocalNetwork, Sequence[str]]:
    """Both sides of a comparison share the networks in which they do not differ. _changed: when the file was."""
    said: list[str] = []
    return network_from_file(NETWORKS[name], path, said.append), said


@dataclass(frozen=True)
class Album:
    """The pictures that a candidate is judged by, by name. truth: where their faces are, if anybody knows."""

    pictures: Mapping[str, Path]
    truth: "Truth | None" = None


def find_pictures(folder: Path, tell: Callable[[str], object]) -> Album:
    """Those in a folder and below. tell: is told, in a sentence, what is left out.

    Raises DeployError where there are none.
    """
    if not folder.is_dir():
        raise DeployError(f"{folder} is no folder of pictures")
    found = pictures_in(folder)
    for note in found.notes():
        tell(note)
    pictures = {file.relative_to(folder).as_posix(): file for file in sorted(found.files)}
    if not pictures:
        raise DeployError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    return Album(pictures)


def with_labels(album: Album, file: Path) -> Album:
    """The pictures that an annotation in WIDER FACE's format knows, and it.

    Raises DeployError where it knows none, or cannot be read; ImportError without the tools' extra `evaluate`.
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


@dataclass(frozen=True)
class Answers:
    """Of the live and the candidate networks, by the name of the picture. unreadable: why a picture is left out."""

    live: Mapping[str, Answer]
    candidate: Mapping[str, Answer]
    unreadable: Mapping[str, str] = field(default_factory=dict)


def ask_both(
    live: LocalCascade, candidate: LocalCascade, pictures: Iterable[Named], options: DetectOptions, times: int = 2
) -> Answers:
    """What both find in the pictures that can be read.

    Each picture is asked some times of both in turn, and the fastest counts: other work on the machine takes from both.
    Raises DeployError where no picture can be read.
    """
    parameters = DetectionParameters.parse(dict(options))
    answers: tuple[dict[str, Answer], dict[str, Answer]] = {}, {}
    unreadable: dict[str, str] = {}
    for name, path in pictures:
        try:
            image = decode_image(path.read_bytes())
        except (InvalidImage, OSError) as error:
            unreadable[name] = str(error)
            continue
        runs = [(live.detect(image, parameters), candidate.detect(image, parameters)) for _ in range(times)]
        for side, found in zip(answers, zip(*runs, strict=True), strict=True):
            side[name] = replace(found[0], seconds=min(answer.seconds for answer in found))
    if not answers[0]:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(unreadable.items())[:3])
        raise DeployError(f"none of the pictures can be read ({reasons})")
    return Answers(*answers, unreadable)


@dataclass(frozen=True)
class Judgement:
    """How a candidate compares. live, candidate: accuracy by subset, empty without labels.

    failures: what it fails of the gate, a sentence each. doubts: what it would fail, for want of faces, if the gate did
    not accept few. warnings: what else should be known of its networks, or of the live ones, likewise.
    """

    answers: Answers
    comparison: Comparison
    live: Mapping[str, Accuracy]
    candidate: Mapping[str, Accuracy]
    failures: Sequence[str]
    doubts: Sequence[str] = ()
    warnings: Sequence[str] = ()


def judge(
    live: Mapping[str, Path],
    candidate: Mapping[str, Path],
    album: Album,
    gate: Gate,
    options: DetectOptions,
    follow: Follow = iter,
) -> Judgement:
    """Compares in this process. live, candidate: `model.pt` files of all networks, and of those that are new."""
    pictures = follow(album.pictures.items())
    cascades = LocalCascade(live), LocalCascade({**live, **candidate})
    answers = ask_both(*cascades, pictures, options)
    comparison = compare(list(answers.live.values()), list(answers.candidate.values()))
    old: Mapping[str, Accuracy] = {}
    new: Mapping[str, Accuracy] = {}
    if album.truth is not None:
        old, new = accuracy(answers.live, album.truth), accuracy(answers.candidate, album.truth)
    warnings = list(dict.fromkeys(sentence for cascade in cascades for sentence in cascade.warnings))
    doubts = gate.doubts(comparison, old, new) if gate.accept_few else ()
    return Judgement(answers, comparison, old, new, gate.failures(comparison, old, new), doubts, warnings)


def differs(
    client: FaceClient, expected: Mapping[str, Answer], pictures: Mapping[str, Path], options: DetectOptions
) -> str:
    """In how far a server's answers to some of the pictures are others than expected; empty where they are not.

    Raises DeployError where it does not answer.
    """
    # Pictures with faces say more.
    names = sorted(expected, key=lambda name: len(expected[name].boxes) == 0)[:_ASKED_OF_SERVER]
    with _server_answers(client):
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
    with _server_answers(client):
        ask_canary(client)


@contextmanager
def _server_answers(client: FaceClient) -> Iterator[None]:
    try:
        yield
    except FaceError as error:
        raise DeployError(f"the server at {client.url} does not answer: {error}") from error
