"""Pictures for tests: one photo that may be shipped, and what is made of it."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

import face_bench.pictures

DATA = Path(__file__).parent / "data"


def astronaut():
    """The portrait, RGB uint8 [512,512,3]: one face."""
    return np.array(Image.open(DATA / "astronaut.png").convert("RGB"))


def wall(width=1920, height=1080):
    """A grey canvas with the portrait in twelve sizes, RGB uint8 [height,width,3], resized from 1920x1080."""
    return face_bench.pictures.wall(Image.fromarray(astronaut()), width, height)


def mixed_sizes(count):
    """Pictures of different sizes, some without a face, in a fixed random choice."""
    random = np.random.RandomState(4)
    whole = wall()
    pictures = []
    for _ in range(count):
        height, width = random.randint(40, 500), random.randint(40, 700)
        top, left = random.randint(0, 1080 - height), random.randint(0, 1920 - width)
        pictures.append(np.ascontiguousarray(whole[top : top + height, left : left + width]))
    return pictures


def reference(picture, min_face_size):
    """facenet-pytorch's faces as arrays: boxes [N,4], landmarks [N,5,2], probabilities [N]."""
    faces = json.loads((DATA / "detections.json").read_text())[f"{picture} min_face_size={min_face_size}"]
    return tuple(np.array([face[key] for face in faces]) for key in ("box", "landmarks", "probability"))
