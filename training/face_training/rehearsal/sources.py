"""Real pictures that come inside of Python packages: three faces, and things that are none."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_training.errors import TrainingError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture of one face and little more: pixels UINT8 [H,W,3], box FLOAT64 [4], landmarks FLOAT64 [5,2]."""

    pixels: Pixels
    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]


# Package, file, box, five points. Boxes and points are the pretrained cascade's, rounded, and were looked at.
_PORTRAITS = (
    (
        "skimage",
        "data/astronaut.png",
        (181, 62, 268, 172),
        ((205, 102), (247, 104), (225, 129), (202, 139), (245, 142)),
    ),
    (
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        (174, 120, 356, 341),
        ((222, 192), (310, 186), (269, 239), (233, 280), (307, 276)),
    ),
    ("skimage", "data/camera.png", (199, 119, 254, 192), ((234, 147), (252, 150), (251, 169), (231, 180), (244, 182))),
)

_SCENES = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    *(
        ("skimage", f"data/{name}")
        for name in (
            "brick.png",
            "chelsea.png",
            "coffee.png",
            "grass.png",
            "gravel.png",
            "hubble_deep_field.jpg",
            "ihc.png",
            "motorcycle_right.png",
            "page.png",
            "retina.jpg",
            "rocket.jpg",
        )
    ),
)


def portraits() -> list[Portrait]:
    """Eileen Collins, Grace Hopper and a cameraman half from the side."""
    return [
        _close_up(_read(package, file), np.array(box, np.float64), np.array(points, np.float64))
        for package, file, box, points in _PORTRAITS
    ]


def _close_up(pixels: Pixels, box: NDArray[np.float64], points: NDArray[np.float64]) -> Portrait:
    """The face with a third of its sides around it, as far as the picture goes."""
    around = (box[2:] - box[:2]) / 3
    left, top = np.maximum(box[:2] - around, 0).astype(int)
    right, bottom = (box[2:] + around).astype(int)
    shift = np.array([left, top])
    return Portrait(pixels[top:bottom, left:right], box - np.tile(shift, 2), points - shift)


def sample_photo() -> tuple[Pixels, NDArray[np.float64]]:
    """The first of them, whole: pixels UINT8 [512,512,3] and box FLOAT64 [4]."""
    package, file, box, _ = _PORTRAITS[0]
    return _read(package, file), np.array(box, np.float64)


def scenes() -> list[Pixels]:
    """Pictures without a face."""
    return [_read(package, file) for package, file in _SCENES]


def _read(package: str, file: str) -> Pixels:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise TrainingError(f"the demo takes pictures out of {package}, which is not installed: run `make env`")
    with Image.open(Path(spec.submodule_search_locations[0]) / file) as image:
        return np.array(image.convert("RGB"))
