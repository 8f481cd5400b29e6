"""Who finds the faces: the cascade in this process, or servers. Both take pictures one after the other, and answer in
their order."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from face_batch.errors import BatchError, WorkFailed
from face_cascade import FACENET, Detection, DetectionParameters, Limits, TooManyCandidates, drive
from face_cascade.crops import detection_crops
from face_cascade.networks import EMBEDDING_SIZE, NETWORKS, STAGES
from face_client import FaceClient
from face_client.errors import DeadlineExceeded, FaceError, InvalidImage, InvalidInput, ServerError, ServerUnavailable
from face_client.faces import Faces
from face_client.tls import Tls
from face_client.weights import Weights
from face_pictures.decoding import decode_image
from face_repository.layout import EXPORTED, Repository, RepositoryError
from face_repository.versions import latest
from face_repository.weights import read_weights

Image: TypeAlias = NDArray[np.uint8]

Picture: TypeAlias = bytes | Image
"""A file, or the pixels of a frame: RGB UINT8 [H,W,3]."""

Networks: TypeAlias = Mapping[str, bytes]
"""The files `model.pt` by the network's name: they go to whatever machine computes."""

# Together in the cascade: so many pictures, or pixels (as model `mtcnn` has it on a processor).
_GROUP, _GROUP_PIXELS = 16, 8_500_000

_SHOWN_OF_DIGEST = 16


class Engine(Protocol):
    """Finds the faces in pictures."""

    def answers(self, pictures: Iterable[Picture]) -> Iterator[Faces | FaceError]:
        """Of each picture in order: its faces, or what is wrong with it: InvalidImage, TooManyPixels, InvalidInput
        where there are too many candidates, ServerError. Takes a few pictures ahead.

        Raises WorkFailed where nobody answers, which is no fault of a picture.
        """


def read_networks(repository: Path, embeddings: bool, tell: Callable[[str], None] = lambda _: None) -> Networks:
    """The live networks of a model repository. tell: is told what whoever uses FaceNet must know: random weights, say.

    Raises BatchError where one is missing.
    """
    wanted = [network.name for network in STAGES] + ([FACENET.name] if embeddings else [])
    try:
        found = Repository.read(repository)
    except RepositoryError as error:
        raise BatchError(str(error)) from error
    if embeddings and FACENET.name in found.missing:
        raise BatchError(f"{repository} has no {FACENET.name}: embeddings need `faces export --facenet vggface2`")
    for note in found.notes if embeddings else ():
        tell(note)
    files = {name: found.path / name / str(latest(found.path / name)) / EXPORTED for name in wanted}
    return {name: file.read_bytes() for name, file in files.items()}


def fingerprint(networks: Networks) -> dict[str, str]:
    """What the answers of these networks depend on, the pictures and options apart."""
    return {
        "release": version("triton-faces"),
        **{name: f"weights {_digest(content)}" for name, content in networks.items()},
    }


def served_fingerprint(client: FaceClient, embeddings: bool) -> dict[str, str]:
    """The same of a server, as far as it tells. Raises FaceError."""
    told = {"release": version("triton-faces")}
    if embeddings:
        told["facenet"] = f"weights {client.weights().sha256[:_SHOWN_OF_DIGEST]}"
    return told


def _digest(file: bytes) -> str:
    """Of the weights where the file holds them as arrays: two exports of one network may differ in the rest."""
    digest = hashlib.sha256()
    try:
        arrays = read_weights(io.BytesIO(file))
    except (zipfile.BadZipFile, ValueError):
        arrays = {}
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    if not arrays:
        digest.update(file)
    return digest.hexdigest()[:_SHOWN_OF_DIGEST]


class LocalEngine:
    """The cascade, and FaceNet where it is among the networks, on processor cores of this process.

    folder: where the networks' files are put. threads: cores. crops: whether answers have them.
    """

    def __init__(
        self,
        networks: Networks,
        folder: Path,
        options: Mapping[str, Any],
        crops: bool = False,
        threads: int = 1,
    ) -> None:
        # Not at the top: machine code is generated with the first import.
        from face_runtime.processor import network_from_file, on_this_processor

        files = {}
        for name, content in networks.items():
            files[name] = folder / f"{name}.pt"
            files[name].write_bytes(content)
        stages = {
            NETWORKS[name]: network_from_file(NETWORKS[name], files[name], lambda _: None)
            for name in files
            if name != FACENET.name
        }
        self._engine = on_this_processor(stages, threads)
        self._parameters = DetectionParameters.parse(dict(options))
        self._crops = crops
        self._facenet = _facenet(files[FACENET.name], threads) if FACENET.name in files else None

    def answers(self, pictures: Iterable[Picture]) -> Iterator[Faces | FaceError]:
        """See Engine."""
        group: list[Image | FaceError] = []
        pixels = 0
        for picture in pictures:
            image = _decoded(picture)
            size = 0 if isinstance(image, FaceError) else image.shape[0] * image.shape[1]
            if group and (len(group) == _GROUP or pixels + size > _GROUP_PIXELS):
                yield from self._found(group)
                group, pixels = [], 0
            group.append(image)
            pixels += size
        yield from self._found(group)

    def _found(self, group: Sequence[Image | FaceError]) -> Iterator[Faces | FaceError]:
        images = [image for image in group if not isinstance(image, FaceError)]
        found = iter(self._search(images))
        for image in group:
            yield image if isinstance(image, FaceError) else next(found)

    def _search(self, images: Sequence[Image]) -> list[Faces | FaceError]:
        """Where memory does not suffice for all of them, each half is tried by itself."""
        if not images:
            return []
        try:
            return self._of_images(images)
        except MemoryError:
            if len(images) == 1:
                return [ServerError("there is too little memory for this picture")]
        half = len(images) // 2
        return self._search(images[:half]) + self._search(images[half:])

    def _of_images(self, images: Sequence[Image]) -> list[Faces | FaceError]:
        flow = self._engine.detect(images, [self._parameters] * len(images))
        detections = drive(flow, self._engine.run, self._engine.map)
        pairs = zip(images, detections, strict=True)
        faces = iter(self._faces([(image, found) for image, found in pairs if isinstance(found, Detection)]))
        return [InvalidInput(str(each)) if isinstance(each, TooManyCandidates) else next(faces) for each in detections]

    def _faces(self, pairs: Sequence[tuple[Image, Detection]]) -> list[Faces]:
        faces = [self._of_image(*pair) for pair in pairs]
        if self._facenet is None or not pairs:
            return faces
        crops = [detection_crops(image, found, self._parameters, FACENET.side) for image, found in pairs]
        embeddings, weights = self._facenet(np.concatenate(crops))
        parts = np.split(embeddings, np.cumsum([len(each) for each in crops])[:-1])
        return [
            replace(each, embeddings=part, weights=weights if len(part) else None)
            for each, part in zip(faces, parts, strict=True)
        ]

    def _of_image(self, image: Image, detection: Detection) -> Faces:
        height, width, _ = image.shape
        found = Faces(
            boxes=detection.boxes,
            probabilities=detection.probabilities,
            landmarks=detection.landmarks,
            width=width,
            height=height,
            crops=detection_crops(image, detection, self._parameters) if self._crops else None,
            candidates_dropped=detection.candidates_dropped,
            angles=detection.angles if self._parameters.rotations else None,
        )
        return replace(found, boxes=found.clip()) if self._parameters.clip else found


def _decoded(picture: Picture) -> Image | FaceError:
    if not isinstance(picture, bytes):
        return picture
    try:
        return decode_image(picture)
    except InvalidImage as error:
        return error
    except MemoryError:
        return ServerError("there is too little memory to decode this picture")


def _facenet(file: Path, threads: int) -> Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], Weights | None]]:
    """From crops UINT8 [N,160,160,3] to embeddings FP32 [N,512], and whose they are where there was any."""
    import torch

    from face_runtime.torchscript import TorchScriptNetwork

    torch.set_num_threads(threads)
    network = TorchScriptNetwork(file, "cpu")

    def embed(crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Weights | None]:
        batches, weights = [np.empty((0, EMBEDDING_SIZE), np.float32)], None
        limits = Limits()
        for share in limits.shares(len(crops), limits.facenet):
            embeddings, _, told = network(crops[share])
            batches.append(embeddings)
            weights = Weights.parse(told[0].tobytes())
        return np.concatenate(batches), weights

    return embed


class ServedEngine:
    """Servers, asked as any client asks them, with a bounded number of requests on the way.

    url: of one or, with commas between, of several. A server that is away is waited for by the client's retries.
    """

    def __init__(
        self,
        url: str,
        options: Mapping[str, Any],
        embeddings: bool = False,
        crops: bool = False,
        timeout: float = 30.0,
        retries: int = 18,
        in_flight: int = 16,
        tls: Tls | None = None,
    ) -> None:
        self._client = FaceClient(url, timeout=timeout, retries=retries, tls=tls)
        self._embeddings = embeddings
        self._options = {"in_flight": in_flight, "crops": crops, **options}

    def answers(self, pictures: Iterable[Picture]) -> Iterator[Faces | FaceError]:
        """See Engine."""
        ask = self._client.recognize_each if self._embeddings else self._client.detect_each
        for answer in ask(pictures, **self._options):
            # OSError: of a path, and none is sent.
            if isinstance(answer, ServerUnavailable | DeadlineExceeded | OSError):
                raise WorkFailed(f"{self._client.url} does not answer: {answer}")
            yield answer
