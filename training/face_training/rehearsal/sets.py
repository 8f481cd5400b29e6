"""A small set made on the spot, in the formats of WIDER FACE and of the facial points.

Faces of real pictures that Python packages hold are pasted into others that show none, in any size, light, tilt and
blur.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from face_training.annotations.pictures import MIRRORED_POINTS
from face_training.errors import TrainingError

Pixels = NDArray[np.uint8]
Float64 = NDArray[np.float64]

_EVENT = "0--Generated"

_TRIES = 20

# Half axes of what is cut out of a portrait, in sides of its face's box: the head without much of what is behind it.
_HEAD = (0.68, 0.74)


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


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture of one face and little more: pixels UINT8 [H,W,3], box FLOAT64 [4], landmarks FLOAT64 [5,2]."""

    pixels: Pixels
    box: Float64
    landmarks: Float64


def portraits() -> list[Portrait]:
    """Eileen Collins, Grace Hopper and a cameraman half from the side."""
    return [
        _close_up(_read(package, file), np.array(box, np.float64), np.array(points, np.float64))
        for package, file, box, points in _PORTRAITS
    ]


def _close_up(pixels: Pixels, box: Float64, points: Float64) -> Portrait:
    """The face with a third of its sides around it, as far as the picture goes."""
    around = (box[2:] - box[:2]) / 3
    left, top = np.maximum(box[:2] - around, 0).astype(int)
    right, bottom = (box[2:] + around).astype(int)
    shift = np.array([left, top])
    return Portrait(pixels[top:bottom, left:right], box - np.tile(shift, 2), points - shift)


def photo_with_face(folder: Path) -> tuple[Path, Float64]:
    """The first of them, whole and as it is, written into the folder; its face FLOAT64 [1,4]."""
    package, file, box, _ = _PORTRAITS[0]
    path = folder / "astronaut.png"
    Image.fromarray(_read(package, file)).save(path)
    return path, np.array([box], np.float64)


def scenes() -> list[Pixels]:
    """Pictures without a face."""
    return [_read(package, file) for package, file in _SCENES]


def _read(package: str, file: str) -> Pixels:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise TrainingError(f"the demo takes pictures out of {package}, which is not installed: run `make env`")
    with Image.open(Path(spec.submodule_search_locations[0]) / file) as image:
        return np.array(image.convert("RGB"))


@dataclass(frozen=True, eq=False)
class Generated:
    """A picture UINT8 [H,W,3] and its faces: boxes FLOAT64 [N,4], landmarks FLOAT64 [N,5,2]."""

    pixels: Pixels
    boxes: Float64
    landmarks: Float64


def generate(
    portraits: Sequence[Portrait],
    scenes: Sequence[Pixels],
    random: Generator,
    size: tuple[int, int],
    faces: int,
    heights: tuple[float, float],
) -> Generated:
    """A picture of `size` (width, height) with up to `faces` faces that do not touch, of `heights` pixels."""
    canvas = _background(scenes[random.integers(len(scenes))], size, random)
    boxes, points = list[Float64](), list[Float64]()
    for _ in range(faces):
        portrait = portraits[random.integers(len(portraits))]
        height = math.exp(random.uniform(*np.log(heights)))
        placed = _place(portrait, size, boxes, height, random)
        if placed is not None:
            box, transform, mirrored = placed
            _paste(canvas, portrait, transform, random)
            boxes.append(box)
            moved = portrait.landmarks @ transform[:, :2].T + transform[:, 2]
            points.append(moved[MIRRORED_POINTS] if mirrored else moved)
    return Generated(_weathered(canvas, random), np.array(boxes).reshape(-1, 4), np.array(points).reshape(-1, 5, 2))


def _background(scene: Pixels, size: tuple[int, int], random: Generator) -> Pixels:
    """A part of a scene, perhaps mirrored or turned by quarters, in other colours."""
    scene = np.rot90(scene, random.integers(4)) if random.random() < 0.5 else scene
    share = random.uniform(0.4, 1)
    height, width = (int(side * share) for side in scene.shape[:2])
    top, left = random.integers(scene.shape[0] - height + 1), random.integers(scene.shape[1] - width + 1)
    part = scene[top : top + height, left : left + width, random.permutation(3)]
    if random.random() < 0.5:
        part = part[:, ::-1]
    resized: Any = cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
    return _lit(resized, random)


def _place(
    portrait: Portrait, size: tuple[int, int], taken: Sequence[Float64], height: float, random: Generator
) -> tuple[Float64, Float64, bool] | None:
    """Box and FLOAT64 [2,3] from the portrait's pixels to the picture's, somewhere free; and whether it mirrors."""
    sides = portrait.box[2:] - portrait.box[:2]
    center = (portrait.box[:2] + portrait.box[2:]) / 2
    scale = height / sides[1]
    angle = math.radians(random.normal(0, 8))
    mirrored = bool(random.random() < 0.5)
    flip = -1 if mirrored else 1
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[flip * cosine, -sine], [flip * sine, cosine]])
    half = sides * scale / 2
    for _ in range(_TRIES):
        if (2 * half * 1.1 >= size).any():
            return None
        target = random.uniform(half * 1.1, np.array(size) - half * 1.1)
        box = np.concatenate([target - half, target + half])
        if all(_apart(box, other) for other in taken):
            return box, np.column_stack([linear, target - linear @ center]), mirrored
    return None


def _apart(a: Float64, b: Float64) -> bool:
    grow = 0.3 * (a[2:] - a[:2] + b[2:] - b[:2])
    return bool(((a[:2] > b[2:] + grow) | (b[:2] > a[2:] + grow)).any())


def _paste(canvas: Pixels, portrait: Portrait, transform: Float64, random: Generator) -> None:
    """Draws the portrait's head over the canvas, softly at its edge."""
    height, width = canvas.shape[:2]
    sides = portrait.box[2:] - portrait.box[:2]
    center = (portrait.box[:2] + portrait.box[2:]) / 2
    y, x = np.mgrid[: portrait.pixels.shape[0], : portrait.pixels.shape[1]]
    distance = np.hypot((x - center[0]) / (sides[0] * _HEAD[0]), (y - center[1]) / (sides[1] * _HEAD[1]))
    mask = np.clip((1 - distance) / 0.15, 0, 1).astype(np.float32)
    # Averaged before it shrinks: a warp looks at four pixels only.
    scale = math.sqrt(abs(np.linalg.det(transform[:, :2])))
    head: Any = _lit(portrait.pixels, random)
    if scale < 1:
        head, mask = (cv2.GaussianBlur(array, (0, 0), 0.5 / scale) for array in (head, mask))
    warped = cv2.warpAffine(head, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(mask, transform, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    canvas[:] = np.rint(canvas * (1 - alpha) + warped * alpha)


def _lit(pixels: Pixels, random: Generator) -> Pixels:
    """Other brightness, contrast and tint."""
    contrast, brightness = random.uniform(0.6, 1.3), random.normal(0, 20)
    tint = random.uniform(0.85, 1.15, 3)
    found: Pixels = np.clip((pixels - 127.5) * contrast * tint + 127.5 + brightness, 0, 255).astype(np.uint8)
    return found


def _weathered(pixels: Pixels, random: Generator) -> Pixels:
    """Blur and noise, mostly a little."""
    blurred: Any = pixels
    if random.random() < 0.3:
        blurred = cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.4, 1.2))
    noise = random.normal(0, random.uniform(0, 6), pixels.shape)
    found: Pixels = np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)
    return found


def write_wider(root: Path, part: str, count: int, random: Generator) -> list[Generated]:
    """`count` pictures as part `train` or `val` of WIDER FACE, with no face to four in each, 22 to 200 pixels high."""
    heads, places = portraits(), scenes()
    pictures, lines = [], []
    for n in range(count):
        size = (int(random.integers(240, 560)), int(random.integers(240, 420)))
        picture = generate(heads, places, random, size, int(random.integers(0, 5)), (22, 200))
        name = f"{_EVENT}/{n:04d}.jpg"
        _save(root / f"WIDER_{part}" / "images" / name, picture, random)
        lines += [name, str(len(picture.boxes)), *_wider_faces(picture)]
        pictures.append(picture)
    path = root / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return pictures


def write_facial_points(root: Path, count: int, random: Generator) -> None:
    """`count` pictures of one face in two folders, with five points each."""
    heads, places = portraits(), scenes()
    lines = []
    for n in range(count):
        picture = generate(heads, places, random, (250, 250), 1, (60, 160))
        folder = "lfw_5590" if n % 2 else "net_7876"
        _save(root / folder / f"{n:04d}.jpg", picture, random)
        x1, y1, x2, y2 = np.rint(picture.boxes[0]).astype(int)
        points = " ".join(f"{value:.6f}" for value in picture.landmarks[0].ravel())
        lines.append(f"{folder}\\{n:04d}.jpg {x1} {x2} {y1} {y2} {points}")
    (root / "trainImageList.txt").write_text("\n".join(lines) + "\n")


def _wider_faces(picture: Generated) -> Sequence[str]:
    """x, y, width, height and six attributes; a picture without a face has a line of zeros."""
    corners = np.rint(picture.boxes).astype(int)
    rows = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return [f"{x} {y} {w} {h} 0 0 0 0 0 0 " for x, y, w, h in rows.tolist()] or ["0 0 0 0 0 0 0 0 0 0 "]


def _save(path: Path, picture: Generated, random: Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.pixels).save(path, quality=int(random.integers(60, 96)))
