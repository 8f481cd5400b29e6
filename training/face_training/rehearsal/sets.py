"""Generated pictures in the file formats of WIDER FACE and of the facial point set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from face_training.rehearsal.scenery import Generated, generate
from face_training.rehearsal.sources import portraits, sample_photo, scenes

_EVENT = "0--Generated"


def write_wider(root: Path, part: str, count: int, random: Generator) -> list[Generated]:
    """`count` pictures as part `train` or `val` of WIDER FACE, with no face to four in each, 20 to 200 pixels high."""
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


def photo_with_face(folder: Path) -> tuple[Path, NDArray[np.float64]]:
    """The sample photo, whole and as it is, written into the folder; its face FLOAT64 [1,4]."""
    pixels, box = sample_photo()
    path = folder / "astronaut.png"
    Image.fromarray(pixels).save(path)
    return path, box[None]
