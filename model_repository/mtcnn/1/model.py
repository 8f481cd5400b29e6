"""Model `mtcnn`: images in, faces out. All requests of a batch go through the cascade together."""

import json
import os
from pathlib import Path
from typing import Any

from face_cascade import detect, drive, interruptible
from face_repository.versions import PARAMETER, in_use
from face_runtime import networks
from face_runtime.answers import check_callers, refusing
from face_runtime.bls import first_trace
from face_runtime.log import Log
from face_runtime.observer import Observer
from face_runtime.record import Record
from face_runtime.requests import ImageRequest, pixel_groups
from face_runtime.settings import NETWORKS_VARIABLE, cores


class TritonPythonModel:
    """One instance of the cascade."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._max_pixels = int(parameters["max_pixels"])
        self._group_pixels = int(parameters["group_pixels"])
        log = Log("mtcnn", args["model_instance_name"])
        setting = os.environ.get(NETWORKS_VARIABLE, parameters["networks"])
        repository = Path(args["model_repository"]).parent
        versions = in_use(parameters.get(PARAMETER, ""), os.environ, repository)
        if networks.choose(setting, args["model_instance_kind"] == "GPU") == "local":
            workers = int(os.environ.get("OMP_NUM_THREADS") or cores())
            self._networks = networks.in_this_process(
                repository, versions, workers, lambda message: log.warning("uncompiled", message=message)
            )
        else:
            self._networks = networks.through_triton(versions)
        log_executions = parameters["log_executions"] == "true"
        limit = self._networks.limits.max_candidates
        self._observer = Observer(args["model_instance_name"], log, log_executions, limit)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with faces."""
        record = Record()
        batch = [ImageRequest(request) for request in requests]
        with record.stage("decode"):
            list(self._networks.map(lambda request: request.read(self._max_pixels), batch))
        good = [request for request in batch if request.is_open]
        with first_trace(requests):
            for group in pixel_groups([request.pixels for request in good], self._group_pixels):
                self._search(good[group], record)
        self._observer.executed(batch, record)
        return [request.response() for request in batch]

    def finalize(self) -> None:
        """Ends what still has something to tell."""
        self._observer.close()

    def _search(self, group: list[ImageRequest], record: Record) -> None:
        """Answers requests whose images go through the cascade together; stops when all of their callers are gone."""
        for request in group:
            request.refuse_if_gone()
        present = [request for request in group if request.is_open]
        if not present:
            return
        images = [image for request in present for image in request.images]
        parameters = [request.parameters for request in present for _ in request.images]
        with refusing(present, f"model mtcnn has too little memory for {len(images)} images at once"):
            flow = detect(images, parameters, self._networks.limits, self._networks.arrays)
            flow = record.stages(interruptible(flow, lambda: check_callers(present)))
            detections = drive(flow, record.calls(self._networks.run), self._networks.map)
            record.found(detections)
            found = iter(detections)
            with record.stage("answer"):
                for request in present:
                    request.answer([next(found) for _ in request.images])
