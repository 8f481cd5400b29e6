"""Model `face_names`: embeddings of faces in, names out. The faces of all requests of a batch go together."""

import json
import os
from typing import Any

import triton_python_backend_utils as pb_utils

from face_gallery.errors import GalleryUnavailable
from face_runtime.naming import Naming, NamingObserver, NamingRequest, device_of
from face_runtime.settings import GALLERY_VARIABLE, RANDOM_WEIGHTS_VARIABLE
from face_runtime.spans import Stages


class TritonPythonModel:
    """One instance: a batch of requests at a time."""

    def initialize(self, args: dict[str, str]) -> None:
        where = os.environ.get(GALLERY_VARIABLE)
        if not where:
            raise pb_utils.TritonModelException(
                f"model face_names has no gallery: `faces serve --gallery` names one, or {GALLERY_VARIABLE}"
            )
        search = json.loads(args["model_config"])["parameters"]["search"]["string_value"]
        self._observer = NamingObserver(args["model_instance_name"])
        device = device_of(args["model_instance_kind"], args["model_instance_device_id"], self._observer.slower)
        random_weights = bool(os.environ.get(RANDOM_WEIGHTS_VARIABLE))
        self._naming = Naming(where, search, random_weights, device, self._observer.wrong)
        try:
            self._observer.loaded(*self._naming.load())
        except GalleryUnavailable as error:
            # Until it is there, callers hear that it is not: other models of this server have nothing to do with it.
            self._observer.wrong(error)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every request: a bad one with its own error, the others with a name a face, or all with the gallery's
        error."""
        stages = Stages()
        batch = [NamingRequest(request) for request in requests]
        for request in batch:
            request.refuse_if_gone()
            if request.is_open:
                request.read()
        with stages.stage("search"):
            self._naming.answer([request for request in batch if request.is_open])
        self._observer.executed(batch, stages, self._naming.size)
        return [request.response() for request in batch]

    def finalize(self) -> None:
        """Ends what still has something to tell."""
        self._observer.close()
        self._naming.close()
