"""Face crops as facenet-pytorch's `extract_face` cuts them, or aligned by landmarks."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_cascade.alignment import aligned_crops
from face_cascade.flow import Detection
from face_cascade.parameters import DetectionParameters


def detection_crops(
    image: NDArray[np.uint8], detection: Detection, parameters: DetectionParameters, side: int | None = None
) -> NDArray[np.uint8]:
    """The crops of all faces of an image UINT8 [H,W,3], as the parameters ask for them: UINT8 [N,S,S,3].

    S is `image_size`, or `side`: the same view of each face in so many pixels.
    """
    size, margin = parameters.image_size, parameters.margin
    if parameters.align:
        return aligned_crops(image, detection.landmarks, size, margin, side)
    return face_crops(image, detection.boxes, size, margin, side)


def face_crops(
    image: NDArray[np.uint8], boxes: NDArray[np.float32], size: int, margin: int, side: int | None = None
) -> NDArray[np.uint8]:
    """Square crops, UINT8 [N,size,size,3], of boxes FP32 [N,4] in an image UINT8 [H,W,3].

    The box grows by `margin` pixels of a crop of `size`, is cut to whole pixels inside the image, and is resized with
    Pillow's bilinear filter to `size` pixels, or to `side`. Of a box beside the image the nearest pixel is taken.
    """
    side = size if side is None else side
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    if len(boxes):
        whole = Image.fromarray(image)
        for crop, box in zip(crops, boxes, strict=True):
            # Cropped first: `resize(box=…)` would blend in pixels from outside of the box.
            face = whole.crop(_window(box, whole, size, margin))
            crop[:] = np.asarray(face.resize((side, side), Image.Resampling.BILINEAR))
    return crops


def _window(box: NDArray[np.float32], image: Image.Image, size: int, margin: int) -> tuple[int, int, int, int]:
    grow = (box[2:] - box[:2]) * margin / (size - margin) / 2
    x1, y1 = np.maximum(box[:2] - grow, 0)
    x2, y2 = np.minimum(box[2:] + grow, (image.width, image.height))
    left, top = min(int(x1), image.width - 1), min(int(y1), image.height - 1)
    return left, top, max(int(x2), left + 1), max(int(y2), top + 1)
