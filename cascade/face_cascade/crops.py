"""Face crops as facenet-pytorch's `extract_face` cuts them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def face_crops(image: NDArray[np.uint8], boxes: NDArray[np.float32], size: int, margin: int) -> NDArray[np.uint8]:
    """Square crops, UINT8 [N,size,size,3], of boxes FP32 [N,4] in an image UINT8 [H,W,3].

    The box grows by `margin` pixels of the crop, is cut to whole pixels inside the image, and is resized with
    Pillow's bilinear filter. Of a box beside the image the nearest pixel is taken.
    """
    crops = np.empty((len(boxes), size, size, 3), np.uint8)
    if len(boxes):
        whole = Image.fromarray(image)
        for crop, box in zip(crops, boxes, strict=True):
            # Cropped first: `resize(box=…)` would blend in pixels from outside of the box.
            face = whole.crop(_window(box, whole, size, margin))
            crop[:] = np.asarray(face.resize((size, size), Image.Resampling.BILINEAR))
    return crops


def _window(box: NDArray[np.float32], image: Image.Image, size: int, margin: int) -> tuple[int, int, int, int]:
    grow = (box[2:] - box[:2]) * margin / (size - margin) / 2
    x1, y1 = np.maximum(box[:2] - grow, 0)
    x2, y2 = np.minimum(box[2:] + grow, (image.width, image.height))
    left, top = min(int(x1), image.width - 1), min(int(y1), image.height - 1)
    return left, top, max(int(x2), left + 1), max(int(y2), top + 1)
