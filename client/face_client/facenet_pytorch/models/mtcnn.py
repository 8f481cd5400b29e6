"""facenet-pytorch's MTCNN: the server finds the faces, this process cuts them out and standardises them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from face_client import FaceClient
from face_client.drop_in import Connection
from face_client.facenet_pytorch.models.utils import selection
from face_client.facenet_pytorch.models.utils.detect_face import face_levels
from face_client.facenet_pytorch.models.utils.finding import find, three
from face_client.facenet_pytorch.models.utils.pictures import (
    Pictures,
    SavePath,
    check_sizes,
    in_rgb,
    is_batch,
    listed,
    numbered,
    paths_for,
)
from face_client.facenet_pytorch.models.utils.served import Network, Served
from face_client.options import DEFAULT_URL


class PNet(Network):
    """Stands for the first stage, as `mtcnn.pnet`."""


class RNet(Network):
    """Stands for the second stage, as `mtcnn.rnet`."""


class ONet(Network):
    """Stands for the last stage, as `mtcnn.onet`."""


class MTCNN(Served):
    """Finds faces and returns them cut out, ready for `InceptionResnetV1`.

    image_size: side of a face in pixels.
    margin: of them, so many lie around the box, half on each side.
    min_face_size, thresholds, factor: smallest face in pixels, the three stages' probabilities, the pyramid's
        step; the server's ranges apply (`docs/api.md`).
    post_process: standardise the faces (`fixed_image_standardization`); otherwise their values are 0…255.
    select_largest: with several faces, the largest comes first (with keep_all=False: is the one); else the
        likeliest.
    selection_method: how keep_all=False chooses instead; see `select_boxes`.
    keep_all: return every face.
    device: remembered; the server chooses its own, and faces are on the CPU, as there. InvalidInput for one that
        torch does not know.
    url: "host:port" of the server. client: a FaceClient to use instead, with its timeout and its TLS.

    Pictures are RGB: a Pillow image, a uint8 array or tensor [H, W, 3] (other number types are rounded), or many:
    a list or tuple, or an array or tensor [N, H, W, 3]. In a list they may differ in size. Boxes are in the
    coordinates of the object that was given: the EXIF orientation of an opened file is not applied, as there. Floats
    from 0 to 1 have no face, as there, and a UserWarning says so.

    Attributes may be changed between calls. A torch module without weights: `.to()`, `.eval()`, `.double()`
    are harmless, see `Served`. Calls raise FaceError; no face is None.
    """

    def __init__(
        self,
        image_size: int = 160,
        margin: int = 0,
        min_face_size: float = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        post_process: bool = True,
        select_largest: bool = True,
        selection_method: str | None = None,
        keep_all: bool = False,
        device: torch.device | str | None = None,
        *,
        url: str | None = DEFAULT_URL,
        client: FaceClient | None = None,
    ) -> None:
        super().__init__(device, Connection(url, client))
        check_sizes(image_size, margin)
        self.image_size = image_size
        self.margin = margin
        self.min_face_size = min_face_size
        self.thresholds = three(thresholds)
        self.factor = factor
        self.post_process = post_process
        self.select_largest = select_largest
        self.selection_method = selection_method or ("largest" if select_largest else "probability")
        self.keep_all = keep_all

    @property
    def pnet(self) -> PNet:
        """A label, for `detect_face`."""
        return PNet.of(self.connection)

    @property
    def rnet(self) -> RNet:
        """A label."""
        return RNet.of(self.connection)

    @property
    def onet(self) -> ONet:
        """A label."""
        return ONet.of(self.connection)

    def forward(self, img: Pictures, save_path: SavePath = None, return_prob: bool = False) -> Any:
        """The faces as tensors; `mtcnn(img)` calls this.

        save_path: write the faces there too, without standardisation; for many pictures one path each.
        Returns float32 [3, S, S], or [n, 3, S, S] with keep_all, or None without a face; for many pictures a list
        of these. With return_prob a tuple of that and the probabilities: a float or None, or with keep_all an
        array [n]; for many pictures an array of one row each.
        """
        boxes, probabilities, points = self.detect(img, landmarks=True)
        if not self.keep_all:
            boxes, probabilities, points = self.select_boxes(
                boxes, probabilities, points, img, method=self.selection_method
            )
        faces = self.extract(img, boxes, save_path)
        return (faces, probabilities) if return_prob else faces

    def detect(self, img: Pictures, landmarks: bool = False) -> tuple[Any, ...]:
        """Boxes [n, 4] (x1, y1, x2, y2), probabilities [n] and, if asked for, landmarks [n, 5, 2].

        For a picture without faces: None, array([None]), None. The arrays hold Python floats (dtype object), as
        there. For many pictures each is an object array with one entry a picture: [N, n, …] where all have
        the same number of faces, else [N] of float32 arrays.
        """
        self.refuse_to_be_traced()
        rows = find(self.connection.client, img, self.min_face_size, self.thresholds, self.factor)
        boxes, probabilities, points = selection.collect(rows, self.select_largest)
        if not is_batch(img):
            boxes, probabilities, points = boxes[0], probabilities[0], points[0]
        return (boxes, probabilities, points) if landmarks else (boxes, probabilities)

    def select_boxes(
        self,
        all_boxes: Any,
        all_probs: Any,
        all_points: Any,
        imgs: Pictures,
        method: str = "probability",
        threshold: float = 0.9,
        center_weight: float = 2.0,
    ) -> tuple[Any, Any, Any]:
        """One face of each picture, from what `detect` returned for `imgs` with landmarks.

        method: "probability", "largest", "largest_over_threshold" (probability above `threshold`), or
            "center_weighted_size" (area less `center_weight` times the squared distance from the centre).
        Returns a box [1, 4], its probability and its landmarks [1, 5, 2], or None, None, None; for many pictures
        arrays [N, 1, 4], [N, 1], [N, 1, 5, 2], of objects where a picture has no face.
        """
        if not is_batch(imgs):
            all_boxes, all_probs, all_points = [all_boxes], [all_probs], [all_points]
        choose = selection.Chooser(method, threshold, center_weight)
        chosen = [
            choose(boxes, probs, points, picture)
            for boxes, probs, points, picture in zip(all_boxes, all_probs, all_points, listed(imgs))
        ]
        if not is_batch(imgs):
            box, probability, point = chosen[0]
            return box, probability[0], point
        return selection.stacked(chosen)

    def extract(self, img: Pictures, batch_boxes: Any, save_path: SavePath) -> Any:
        """The faces in the boxes that `detect` or `select_boxes` returned for `img`; see `forward`.

        Of several faces the first is saved as save_path, the others with _2, _3, … before the suffix.
        """
        pictures = listed(img)
        paths = paths_for(save_path, len(pictures))
        boxes = batch_boxes if is_batch(img) else [batch_boxes]
        faces = [
            None if some is None else self._extract_from(picture, some, path)
            for picture, some, path in zip(pictures, boxes, paths)
        ]
        return faces if is_batch(img) else faces[0]

    def _extract_from(self, picture: Any, boxes: Any, path: Path | None) -> torch.Tensor:
        picture = in_rgb(picture)
        faces = [
            self._extract_one(picture, box, path, number)
            for number, box in enumerate(boxes if self.keep_all else boxes[:1], start=1)
        ]
        return torch.from_numpy(np.stack(faces) if self.keep_all else faces[0])

    def _extract_one(self, picture: Any, box: Any, path: Path | None, number: int) -> NDArray[np.float32]:
        save_path = None if path is None else numbered(path, number)
        face = face_levels(picture, box, self.image_size, self.margin, save_path)
        # `fixed_image_standardization`, without torch's threads: they hang in a process that was forked.
        return (face - np.float32(127.5)) / np.float32(128) if self.post_process else face


def fixed_image_standardization(image_tensor: torch.Tensor) -> torch.Tensor:
    """Grey levels 0…255 to (level - 127.5) / 128, which FaceNet was trained on."""
    return (image_tensor - 127.5) / 128.0


def prewhiten(x: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1, this at least 1/√(number of values) before: FaceNet's older way.

    InceptionResnetV1 here does not take it: the served network wants grey levels.
    """
    deviation = x.std().clamp(min=x.numel() ** -0.5)
    return (x - x.mean()) / deviation
