"""ipazc's MTCNN: the server finds the faces, this process formats them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from face_client import FaceClient
from face_client.drop_in import Connection, InvalidValue
from face_client.mtcnn.finding import detect_options, find_faces
from face_client.mtcnn.rows import JUSTIFICATIONS, as_dicts, boxes_as_sizes, fitted, padding, rows_of, shifted
from face_client.mtcnn.stages import Stage, StageONet, StagesLike, parse_stages
from face_client.options import DEFAULT_URL


class MTCNN:
    """Finds faces and five landmarks in each.

    stages: "face_and_landmarks_detection", or "face_detection_only" for answers without landmarks (the server runs
        the last stage all the same); or a list of the classes in `face_client.mtcnn.stages`.
    device: remembered; the server chooses its own.
    min_face_size, steps_threshold (three), scale_factor: what 0.1.x took here; defaults for every call.
    url: "host:port" of the server. client: a FaceClient to use instead, with its timeout and its TLS.

    Raises InvalidValue, a ValueError, for stages that are not the cascade.
    """

    def __init__(
        self,
        stages: StagesLike = "face_and_landmarks_detection",
        device: str = "CPU:0",
        *,
        min_face_size: float | None = None,
        steps_threshold: Sequence[float] | None = None,
        scale_factor: float | None = None,
        url: str | None = DEFAULT_URL,
        client: FaceClient | None = None,
    ) -> None:
        self._stages = parse_stages(stages)
        self._device = device
        self.min_face_size = min_face_size
        self.steps_threshold = steps_threshold
        self.scale_factor = scale_factor
        self._connection = Connection(url, client)

    @property
    def device(self) -> str:
        """As it was given."""
        return self._device

    @property
    def stages(self) -> list[Stage]:
        """The stages' labels."""
        return self._stages

    def get_stage(self, stage_id: int | None = None, stage_name: str | None = None) -> Stage | None:
        """The stage of that number or name; None where there is none."""
        return next((stage for stage in self._stages if stage.id == stage_id or stage.name == stage_name), None)

    def predict(self, image: Any, *args: Any, **kwargs: Any) -> Any:
        """The same as `detect_faces`."""
        return self.detect_faces(image, *args, **kwargs)

    def detect_faces(
        self,
        image: Any,
        fit_to_image: bool = True,
        limit_boundaries_landmarks: bool = False,
        box_format: str = "xywh",
        output_type: str = "json",
        postprocess: bool = True,
        batch_stack_justification: str = "center",
        **kwargs: Any,
    ) -> Any:
        """The faces, the likeliest first.

        image: a path (also file://…), the bytes of a file, an RGB array or tensor [H, W, 3] of grey levels 0…255
            (floats are rounded; a UserWarning where they end at 1), or a list of these, of any sizes.
        fit_to_image: move boxes inside the picture, to 0…width-1 and 0…height-1; with limit_boundaries_landmarks
            the landmarks too.
        box_format: "xywh", or "xyxy" for both corners.
        output_type: "json": for each face a dictionary with box (whole numbers), confidence and keypoints [x, y];
            for a list of pictures a list of such lists. "numpy": float64 [n, 16] of all faces, see
            `face_client.mtcnn.rows`, with [n, 6] for face_detection_only.
        postprocess: False leaves boxes where they are, and counts coordinates of a list of pictures from the
            canvas that batch_stack_justification describes.
        kwargs: min_face_size (20), scale_factor (0.709), threshold_pnet (0.6), threshold_rnet (0.7),
            threshold_onet (0.8). nms_pnet1 and its like are fixed in the server; min_size is not used, as there.

        A file that is no picture has no faces, as there; here a UserWarning says so, and the other pictures of a
        list keep theirs. Raises OSError for a path that cannot be read, FaceError for the rest.
        """
        _check("box_format", box_format, ("xywh", "xyxy"))
        _check("output_type", output_type, ("json", "numpy"))
        _check("batch_stack_justification", batch_stack_justification, JUSTIFICATIONS)
        is_batch = isinstance(image, (list, tuple))
        images = image if is_batch else [image]
        landmarks = any(isinstance(stage, StageONet) for stage in self._stages)
        answers = list(find_faces(self._connection.client, images, detect_options({**self._defaults(), **kwargs})))
        rows = [rows_of(number, faces, landmarks) for number, faces in enumerate(answers)]
        sizes = [(faces.width, faces.height) for faces in answers]
        if not postprocess:
            corners = padding(sizes, batch_stack_justification)
            rows = [shifted(some, x, y) for some, (x, y) in zip(rows, corners)]
        elif fit_to_image:
            limit = landmarks and limit_boundaries_landmarks
            rows = [fitted(some, width, height, limit) for some, (width, height) in zip(rows, sizes)]
        if box_format == "xywh":
            rows = [boxes_as_sizes(some) for some in rows]
        if output_type == "numpy":
            return np.concatenate([np.empty((0, 16 if landmarks else 6)), *rows])
        return [as_dicts(some) for some in rows] if is_batch else as_dicts(rows[0])

    def _defaults(self) -> dict[str, Any]:
        """What was given as the constructor's arguments of 0.1.x."""
        defaults: dict[str, Any] = {"min_face_size": self.min_face_size, "scale_factor": self.scale_factor}
        if self.steps_threshold is not None:
            names = ("threshold_pnet", "threshold_rnet", "threshold_onet")
            if len(self.steps_threshold) != len(names):
                raise InvalidValue(f"steps_threshold is {self.steps_threshold!r}; it must hold three numbers")
            defaults.update(zip(names, self.steps_threshold))
        return {name: value for name, value in defaults.items() if value is not None}


def _check(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise InvalidValue(f"{name} is {value!r}; it must be one of {', '.join(known)}")
