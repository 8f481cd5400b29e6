"""Generated pictures: portraits' faces pasted into scenes, in any size, light, tilt and blur."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from face_training.annotations.picture import MIRRORED_POINTS
from face_training.rehearsal.sources import Pixels, Portrait

Float64 = NDArray[np.float64]

_TRIES = 20

# Half axes of what is cut out of a portrait, in sides of its face's box: the head without much of what is behind it.
_HEAD = (0.68, 0.74)


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
