"""Model `mtcnn`: images in, faces out. All requests of a batch go through the cascade together."""

import json
import os
from pathlib import Path
from typing import Any

from face_cascade import Detection, TooManyCandidates, drive, interruptible
from face_cascade.calls import runs
from face_repository.versions import PARAMETER, in_use
from face_runtime.answers import check_callers, refusing
from face_runtime.bls import first_trace
from face_runtime.log import Log
from face_runtime.networks import Choice, engine
from face_runtime.observer import Observer
from face_runtime.record import Record
from face_runtime.requests import ImageRequest
from face_runtime.settings import CROPS_VARIABLE, DECODE_VARIABLE, ENGINE_VARIABLE, NETWORKS_VARIABLE, cores


class TritonPythonModel:
    """One instance of the cascade."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._max_pixels = int(parameters["max_pixels"])
        self._group_pixels = int(parameters["group_pixels"])
        log = Log("mtcnn", args["model_instance_name"])
        repository = Path(args["model_repository"]).parent
        versions = in_use(parameters.get(PARAMETER, ""), os.environ, repository)
        on_gpu = args["model_instance_kind"] == "GPU"
        chosen = Choice(
            networks=os.environ.get(NETWORKS_VARIABLE, parameters["networks"]),
            engine=os.environ.get(ENGINE_VARIABLE, parameters["engine"]),
            decode=os.environ.get(DECODE_VARIABLE, parameters["decode"]),
            facenet_crops=os.environ.get(CROPS_VARIABLE, parameters["facenet_crops"]),
            device=f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu",
        )
        workers = int(os.environ.get("OMP_NUM_THREADS") or cores())
        self._engine = engine(chosen, repository, versions, workers, lambda text: log.warning("slower", message=text))
        if chosen.uses_torch and on_gpu:
            self._group_pixels = int(parameters["gpu_group_pixels"])
        log_executions = parameters["log_executions"] == "true"
        self._observer = Observer(args["model_instance_name"], log, log_executions)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with faces."""
        record = Record()
        batch = [ImageRequest(request) for request in requests]
        with record.stage("decode"):
            self._read(batch)
        good = [request for request in batch if request.is_open]
        with first_trace(requests):
            for group in runs([request.pixels for request in good], self._group_pixels):
                # All at once, the integral images of a batch of the largest images would take 10 GB.
                self._search(good[group], record)
        for request in good:
            request.timed(record)
        self._observer.executed([request.outcome for request in batch], record)
        return [request.response() for request in batch]

    def finalize(self) -> None:
        """Ends what still has something to tell."""
        self._observer.close()

    def _read(self, batch: list[ImageRequest]) -> None:
        """Checks all requests, and decodes the pictures of those that are good together."""
        decoder = self._engine.decoder
        list(decoder.map(lambda request: request.read(self._max_pixels, decoder), batch))
        good = [request for request in batch if request.is_open]
        too_little = f"model mtcnn has too little memory for the pictures of {len(good)} requests at once"
        with refusing(good, too_little), self._engine.guard():
            images = iter(decoder.finish([image for request in good for image in request.images]))
            for request in good:
                request.decoded([next(images) for _ in request.images])

    def _search(self, group: list[ImageRequest], record: Record) -> None:
        """Answers requests whose images go through the cascade together; stops when all of their callers are gone.

        Where memory does not suffice for all, each half of them is tried by itself.
        """
        for request in group:
            request.refuse_if_gone()
        present = [request for request in group if request.is_open]
        if not present:
            return
        count = sum(len(request.images) for request in present)
        with refusing(present, f"model mtcnn has too little memory for {count} images at once"):
            detections = self._detected(present, record, last_try=len(present) == 1)
            if detections is None:
                for half in (present[: len(present) // 2], present[len(present) // 2 :]):
                    self._search(half, record)
                return
            record.found(detections)
            found = iter(detections)
            with record.stage("answer"):
                for request in present:
                    request.answer([next(found) for _ in request.images], self._engine)

    def _detected(
        self, requests: list[ImageRequest], record: Record, last_try: bool
    ) -> list[Detection | TooManyCandidates] | None:
        """What the cascade finds; None where memory does not suffice, and this is not the last try.

        None and no error: that would hold the memory of what has failed while the halves are tried.
        """
        images = [image for request in requests for image in request.images]
        parameters = [request.parameters for request in requests for _ in request.images]
        flow = self._engine.detect(images, parameters, self._group_pixels)
        flow = record.stages(interruptible(flow, lambda: check_callers(requests)))
        try:
            with self._engine.guard():
                return drive(flow, record.calls(self._engine.run), self._engine.map)
        except MemoryError:
            if last_try:
                raise
            return None
