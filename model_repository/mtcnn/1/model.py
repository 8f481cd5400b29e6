"""Model `mtcnn`: images in, faces out. All requests of a batch go through the cascade together."""

import json
import os
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from face_cascade import Detection, InvalidInput, detect, drive
from face_client.images import InvalidImage
from face_server.environment import NETWORKS_VARIABLE, cores
from face_server.runtime import networks
from face_server.runtime.grouping import pixel_groups
from face_server.runtime.metrics import Metrics, Record
from face_server.runtime.requests import ImageRequest, answer, failure, read_request, refusal


class TritonPythonModel:
    """One instance of the cascade."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._max_pixels = int(parameters["max_pixels"])
        self._group_pixels = int(parameters["group_pixels"])
        self._log_executions = parameters["log_executions"] == "true"
        self._metrics = Metrics()
        setting = os.environ.get(NETWORKS_VARIABLE, parameters["networks"])
        if networks.choose(setting, args["model_instance_kind"] == "GPU") == "local":
            repository = Path(args["model_repository"]).parent
            workers = int(os.environ.get("OMP_NUM_THREADS") or cores())
            self._networks = networks.in_this_process(repository, workers)
        else:
            self._networks = networks.through_triton()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with faces."""
        record = Record()
        with record.stage("decode"):
            read = list(self._networks.map(self._read, requests))
        good = [request for request in read if isinstance(request, ImageRequest)]
        answers: list[Any] = []
        for group in pixel_groups([request.pixels for request in good], self._group_pixels):
            answers += self._detect(good[group], record)
        self._report(len(requests), record)
        answered = iter(answers)
        return [next(answered) if isinstance(r, ImageRequest) else refusal(r) for r in read]

    def _read(self, request: Any) -> ImageRequest | InvalidInput | InvalidImage:
        try:
            return read_request(request, self._max_pixels)
        except (InvalidInput, InvalidImage) as error:
            return error

    def _detect(self, requests: list[ImageRequest], record: Record) -> list[Any]:
        images = [image for request in requests for image in request.images]
        parameters = [request.parameters for request in requests for _ in request.images]
        flow = record.stages(detect(images, parameters, self._networks.limits))
        try:
            detections = drive(flow, record.calls(self._networks.run), self._networks.map)
        except networks.NetworkError as error:
            return [failure(str(error), error.code) for _ in requests]
        except MemoryError:
            message = f"model mtcnn has too little memory for {record.images + len(images)} images at once"
            return [failure(message, pb_utils.TritonError.UNAVAILABLE) for _ in requests]
        record.images += len(images)
        record.dropped += sum(d.candidates_dropped for d in detections)
        found = iter(detections)
        with record.stage("answer"):
            return [self._answer(request, [next(found) for _ in request.images]) for request in requests]

    def _answer(self, request: ImageRequest, detections: list[Detection]) -> Any:
        try:
            return answer(request, detections)
        except InvalidInput as error:
            return refusal(error)

    def _report(self, requests: int, record: Record) -> None:
        self._metrics.add(record)
        if record.dropped:
            limit = self._networks.limits.max_candidates
            pb_utils.Logger.log_warn(f"mtcnn: {record.dropped} candidates dropped at the limit of {limit} an image")
        if self._log_executions and record.images:
            rows = ", ".join(f"{name} {count} rows" for name, count in record.rows.items())
            pb_utils.Logger.log_info(f"mtcnn: {requests} requests, {record.images} images, {rows or 'no network'}")
