"""Model `face_names`: who the faces of many images are, by a gallery, and what an instance tells of it."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from face_cascade.parameters import DetectionParameters, InvalidInput, read
from face_client.errors import FaceError, UnfitWeights
from face_client.errors import InvalidInput as Unsearchable
from face_client.weights import Weights
from face_gallery.errors import GalleryError, GalleryUnavailable
from face_gallery.opening import open_store
from face_gallery.records import NOBODY, Candidate, Threshold
from face_gallery.register import Found, Register
from face_runtime.answers import CANCELLED, MEMORY, Refused, Request, real_rows, refusing
from face_runtime.identification import IdentificationParameters
from face_runtime.log import Log
from face_runtime.metrics import Counter, Gauge, Histogram, ProcessMetrics
from face_runtime.spans import Stages, stage_spans
from face_runtime.stacking import rows, texts

NO_MEMORY = "model face_names has too little memory for these faces"

GALLERY = "gallery"
"""The gallery cannot be asked now."""

UNFIT = "unfit"
"""It cannot be used as it is, or has no faces of this FaceNet: asking again cannot help."""

_AWAY = "the gallery of this server cannot be asked now: ask again in a while"
_USELESS = "the gallery of this server cannot be used as it is: whoever runs the server finds the reason in its log"

_PASSED_ON = {"face_embeddings", "face_weights"}
"""Outputs that nobody has to be searched for."""

Embeddings = NDArray[np.float32]


class NamingRequest(Request):
    """Once it is read: images, the embeddings of the faces of each, FP32 [Nᵢ,512]; weights of what gave them, None
    where there is no face; parameters."""

    images: list[Embeddings]
    weights: Weights | None
    parameters: IdentificationParameters

    @property
    def faces(self) -> int:
        return sum(map(len, self.images))

    @property
    def is_search(self) -> bool:
        """Whether anybody has to be looked for."""
        return bool(self.faces) and not set(self.triton.requested_output_names()) <= _PASSED_ON

    def read(self) -> None:
        """Checks it, or refuses it."""
        with refusing([self], NO_MEMORY):
            try:
                # Those of detection have been read where they belong.
                values = json.loads(self.triton.parameters() or "{}")
                self.parameters = read(values, DetectionParameters, IdentificationParameters)[1]
            except InvalidInput as error:
                raise Refused("parameter", str(error)) from error
            self._stacked, self._told = self.tensor("embeddings"), self.tensor("weights")
            self.images = real_rows(self._stacked, self.tensor("num_faces")[:, 0], "num_faces", "faces")
            self.weights = self._weights()

    def _weights(self) -> Weights | None:
        told = {text for text, image in zip(self._told[:, 0], self.images, strict=True) if len(image)}
        if not told:
            return None
        if len(told) > 1:
            raise Refused("input", "weights are of several networks, must be of one in a request")
        try:
            return Weights.parse(told.pop())
        except FaceError as error:
            raise Refused("input", f"weights are no answer of FaceNet: {error}") from error

    def answer(self, found: Sequence[Sequence[Found]], decided: Threshold | None) -> None:
        """With whom each face of each image is like. decided: by what; None where nobody was searched for."""
        wanted = self.triton.requested_output_names()
        with refusing([self], NO_MEMORY):
            outputs = {**self._found(found, decided), "face_embeddings": self._stacked, "face_weights": self._told}
            self.give({name: array for name, array in outputs.items() if name in wanted})

    def _found(self, found: Sequence[Sequence[Found]], decided: Threshold | None) -> dict[str, NDArray[Any]]:
        least = decided.distance if decided else 0.0
        known = [[_match(face, least) for face in image] for image in found]
        decisions = [decided if image else None for image in found]
        return {
            "names": texts([[match.person if match else "" for match in image] for image in known]),
            "collections": texts([[match.collection if match else "" for match in image] for image in known]),
            "distances": _numbers([[_distance(face) for face in image] for image in found]),
            "margins": _numbers([[_margin(face) for face in image] for image in found]),
            "candidates": texts([[json.dumps([*map(_told, face.candidates)]) for face in image] for image in found]),
            "threshold": np.array([[each.distance if each else 0] for each in decisions], np.float32),
            "threshold_details": texts([[json.dumps(each.to_dict()) if each else ""] for each in decisions]),
        }


def _match(found: Found, least: float) -> Candidate | None:
    return found.candidates[0] if found.candidates and found.candidates[0].distance < least else None


def _distance(found: Found) -> float:
    return found.candidates[0].distance if found.candidates else NOBODY


def _margin(found: Found) -> float:
    return NOBODY if found.margin is None else found.margin


def _told(candidate: Candidate) -> dict[str, Any]:
    return {**candidate.to_dict(), "face": candidate.face}


def _numbers(images: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    return rows([np.array(image, np.float32) for image in images], (), np.float32)


def device_of(kind: str, number: str, warn: Callable[[str], None]) -> str | None:
    """Where an instance of this kind has its matrix: on its GPU, where torch computes; None: with the processor.

    warn: is told why not, where there is a GPU.
    """
    if kind != "GPU":
        return None
    try:
        import torch
    except ImportError:
        warn("people are looked for by the processor: torch is not installed")
        return None
    if not torch.cuda.is_available():
        warn("people are looked for by the processor: torch has no CUDA here")
        return None
    return f"cuda:{number}"


class Naming:
    """The gallery of a server, as one instance has it: opened as soon as it can be, asked for many requests at once.

    where, search, random_weights, device: see `face_gallery.register.Register`. say: is told what is wrong with the
    gallery, in words that are not for callers: they name hosts and folders.
    size: how many faces it has, of the network that is enrolled with, as far as is known; None before it was there.
    """

    def __init__(
        self, where: str, search: str, random_weights: bool, device: str | None, say: Callable[[GalleryError], None]
    ) -> None:
        self._where = where
        self._say = say
        self._search = search
        self._random_weights = random_weights
        self._device = device
        self._opened: Register | None = None
        self.size: int | None = None

    def load(self) -> tuple[str, int]:
        """Read all faces into memory, for which a caller would have to wait; where it is, without a password, and its
        size. Raises GalleryError where it cannot be opened."""
        register = self._register()
        for index in register.indexes():
            if self._search == "memory" and index.is_active:
                register.matrix(index.weights.sha256)
        self.size = register.size
        return register.store.where, self.size

    def answer(self, requests: Sequence[NamingRequest]) -> None:
        """Answers or refuses them all. The faces of all that look among the same people meet in one search."""
        alike: dict[Any, list[NamingRequest]] = defaultdict(list)
        for request in requests:
            if request.is_search:
                alike[request.weights, request.parameters.collections, request.parameters.where].append(request)
            else:
                request.answer([[Found([], None)] * len(image) for image in request.images], None)
        for group in alike.values():
            with refusing(group, NO_MEMORY), self._refusals():
                self._answer(group)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.store.close()

    def _register(self) -> Register:
        if self._opened is None:
            store = open_store(self._where)
            self._opened = Register(
                store, search=self._search, random_weights=self._random_weights, device=self._device
            )
        return self._opened

    def _answer(self, group: Sequence[NamingRequest]) -> None:
        register = self._register()
        weights = register.check(group[0].weights)
        chosen = group[0].parameters
        found = iter(
            register.find(
                np.concatenate([image for request in group for image in request.images]),
                weights,
                top=max(request.parameters.top for request in group),
                collections=chosen.among,
                where=chosen.having,
            )
        )
        given = {request.parameters.threshold for request in group}
        decided = {distance: register.threshold(weights, distance or None) for distance in given}
        self.size = register.size
        for request in group:
            top = request.parameters.top
            images = [[next(found) for _ in image] for image in request.images]
            cut = [[Found(face.candidates[:top], face.margin) for face in image] for image in images]
            request.answer(cut, decided[request.parameters.threshold])

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turns what a gallery raises into Refused: the one place that knows which status each is told with."""
        try:
            yield
        except GalleryUnavailable as error:
            self._say(error)
            raise Refused(GALLERY, _AWAY, pb_utils.TritonError.UNAVAILABLE) from error
        except GalleryError as error:
            self._say(error)
            raise Refused(UNFIT, _USELESS, pb_utils.TritonError.INTERNAL) from error
        except UnfitWeights as error:
            raise Refused(UNFIT, str(error), pb_utils.TritonError.INTERNAL) from error
        except Unsearchable as error:
            raise Refused("parameter", str(error)) from error


_FACES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


class NamingObserver:
    """Metrics of one instance, spans, and a line in the log for each request that failed."""

    def __init__(self, worker: str) -> None:
        self._log = Log("face_names", worker)
        self._process = ProcessMetrics(worker)
        self._spans = stage_spans(worker, self._log)
        self._batch = Histogram("face_names_batch_faces", "Faces looked for in one execution", _FACES)
        self._size = Gauge("face_names_gallery_faces", "Faces in the gallery, of the network that is enrolled with")
        self._failed = Counter(
            "face_names_failed_requests_total",
            "Requests answered with an error",
            "reason",
            (GALLERY, UNFIT, MEMORY, "parameter", "input", CANCELLED),
        )

    def loaded(self, where: str, faces: int) -> None:
        """The gallery is there."""
        self._size.set(faces)
        self._log.info("gallery", where=where, faces=faces)

    def wrong(self, error: GalleryError) -> None:
        """Something is wrong with the gallery."""
        self._log.error("gallery", message=str(error))

    def slower(self, message: str) -> None:
        """Something is done in a slower way."""
        self._log.warning("slower", message=message)

    def executed(self, requests: Sequence[NamingRequest], stages: Stages, size: int | None) -> None:
        """All requests of one batch have their outcome. size: of the gallery; None where it is not known."""
        self._process.update()
        if size is not None:
            self._size.set(size)
        answered = [request for request in requests if not request.refusal]
        self._batch.observe(sum(request.faces for request in answered))
        for request in requests:
            if request.refusal:
                self._failed.add(1, request.refusal.reason)
                self._log.refused(request.outcome)
        if self._spans:
            images = sum(len(request.images) for request in answered)
            self._spans.export([request.outcome for request in requests], images, stages.stage_times)

    def close(self) -> None:
        """Sends what has not been sent yet."""
        if self._spans:
            self._spans.close()
