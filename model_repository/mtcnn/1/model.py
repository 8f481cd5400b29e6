"""Model `mtcnn`: images in, faces out. All requests of a batch go through the cascade together."""

import json
import os
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from face_cascade import Call, InvalidInput, detect, drive
from face_client.images import InvalidImage
from face_server.environment import NETWORKS_VARIABLE
from face_server.runtime import networks
from face_server.runtime.requests import ImageRequest, answer, failure, read_request, refusal


class TritonPythonModel:
    """One instance of the cascade."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._max_pixels = int(parameters["max_pixels"])
        self._log_executions = parameters["log_executions"] == "true"
        setting = os.environ.get(NETWORKS_VARIABLE, parameters["networks"])
        if networks.choose(setting, args["model_instance_kind"] == "GPU") == "local":
            self._limits = networks.LOCAL_LIMITS
            repository = Path(args["model_repository"]).parent
            self._run = networks.in_this_process(repository, self._limits)
        else:
            self._limits = networks.BLS_LIMITS
            self._run = networks.through_triton

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with faces."""
        responses: list[Any] = [None] * len(requests)
        good: list[tuple[int, ImageRequest]] = []
        for n, request in enumerate(requests):
            try:
                good.append((n, read_request(request, self._max_pixels)))
            except (InvalidInput, InvalidImage) as error:
                responses[n] = refusal(error)
        try:
            answers = self._detect([request for _, request in good])
        except networks.NetworkError as error:
            answers = [failure(str(error), error.code) for _ in good]
        for (n, _), response in zip(good, answers, strict=True):
            responses[n] = response
        return responses

    def _detect(self, requests: list[ImageRequest]) -> list[Any]:
        images = [image for request in requests for image in request.images]
        parameters = [request.parameters for request in requests for _ in request.images]
        rows: dict[str, int] = {}

        def run(call: Call) -> Any:
            rows[call.network.name] = rows.get(call.network.name, 0) + len(call.batch)
            return self._run(call)

        detections = drive(detect(images, parameters, self._limits), run)
        self._log(len(requests), len(images), rows, sum(d.candidates_dropped for d in detections))
        found = iter(detections)
        return [answer(request, [next(found) for _ in request.images]) for request in requests]

    def _log(self, requests: int, images: int, rows: dict[str, int], dropped: int) -> None:
        if dropped:
            pb_utils.Logger.log_warn(
                f"mtcnn: {dropped} candidates dropped at the limit of {self._limits.max_candidates}"
            )
        if self._log_executions:
            batches = ", ".join(f"{name} {count} rows" for name, count in rows.items())
            pb_utils.Logger.log_info(f"mtcnn: {requests} requests, {images} images, {batches or 'no network'}")
