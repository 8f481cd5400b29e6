"""Model `mtcnn`: images in, faces out. All requests of a batch go through the cascade together."""

import json
import os
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from face_cascade import Detection, detect, drive, interruptible
from face_repository.versions import PARAMETER, in_use
from face_runtime import networks
from face_runtime.answers import Refused, caller_is_gone
from face_runtime.bls import NetworkError, first_trace
from face_runtime.observer import Observer, Record
from face_runtime.requests import ImageRequest, answer, pixel_groups, read_request
from face_runtime.settings import NETWORKS_VARIABLE, cores


class TritonPythonModel:
    """One instance of the cascade."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._max_pixels = int(parameters["max_pixels"])
        self._group_pixels = int(parameters["group_pixels"])
        setting = os.environ.get(NETWORKS_VARIABLE, parameters["networks"])
        repository = Path(args["model_repository"]).parent
        versions = in_use(parameters.get(PARAMETER, ""), os.environ, repository)
        if networks.choose(setting, args["model_instance_kind"] == "GPU") == "local":
            workers = int(os.environ.get("OMP_NUM_THREADS") or cores())
            self._networks = networks.in_this_process(repository, versions, workers)
        else:
            self._networks = networks.through_triton(versions)
        log_executions = parameters["log_executions"] == "true"
        limit = self._networks.limits.max_candidates
        self._observer = Observer(args["model_instance_name"], log_executions, limit)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with faces."""
        record = Record()
        with record.stage("decode"):
            read = list(self._networks.map(self._read, requests))
        good = [request for request in read if isinstance(request, ImageRequest)]
        answers: list[Any] = []
        with first_trace(requests):
            for group in pixel_groups([request.pixels for request in good], self._group_pixels):
                answers += self._answer_present(good[group], record)
        answered = iter(answers)
        outcomes = [r if isinstance(r, Refused) else next(answered) for r in read]
        self._observer.executed(requests, outcomes, record)
        return [o.response() if isinstance(o, Refused) else o for o in outcomes]

    def finalize(self) -> None:
        """Ends what still has something to tell."""
        self._observer.close()

    def _read(self, request: Any) -> ImageRequest | Refused:
        try:
            return read_request(request, self._max_pixels)
        except Refused as refused:
            return refused

    def _answer_present(self, requests: list[ImageRequest], record: Record) -> list[Any]:
        """A response, or Refused, for each request. Callers who are gone take no time of the others."""
        gone = [request.is_gone() for request in requests]
        present = [request for request, is_gone in zip(requests, gone, strict=True) if not is_gone]
        answers = iter(self._detect(present, record) if present else ())
        return [caller_is_gone() if is_gone else next(answers) for is_gone in gone]

    def _detect(self, requests: list[ImageRequest], record: Record) -> list[Any]:
        """A response, or Refused, for each request. Stops between two stages when all callers are gone."""

        def check() -> None:
            if all(request.is_gone() for request in requests):
                raise caller_is_gone()

        images = [image for request in requests for image in request.images]
        parameters = [request.parameters for request in requests for _ in request.images]
        flow = record.stages(interruptible(detect(images, parameters, self._networks.limits), check))
        try:
            detections = drive(flow, record.calls(self._networks.run), self._networks.map)
        except NetworkError as error:
            return [Refused("network", str(error), error.code) for _ in requests]
        except Refused as gone:
            return [gone for _ in requests]
        except MemoryError:
            message = f"model mtcnn has too little memory for {record.images + len(images)} images at once"
            return [Refused("memory", message, pb_utils.TritonError.UNAVAILABLE) for _ in requests]
        record.found(detections)
        found = iter(detections)
        with record.stage("answer"):
            return [self._answer(request, [next(found) for _ in request.images]) for request in requests]

    def _answer(self, request: ImageRequest, detections: list[Detection]) -> Any:
        try:
            return answer(request, detections)
        except Refused as refused:
            return refused
