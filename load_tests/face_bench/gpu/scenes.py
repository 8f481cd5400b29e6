"""Pictures of 1920x1080 made of a few photos: half of them one photo as large as the canvas, half four photos each."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from face_bench.pictures import Picture

WIDTH, HEIGHT = 1920, 1080
SCENES = 8
QUALITY = 90


def scenes(photos: Sequence[Picture], count: int = SCENES) -> list[Picture]:
    """The same for the same photos. Each is cut out of them at a height of its own: no two alike."""
    images = [Image.fromarray(photo.decoded) for photo in photos]
    made = []
    for n in range(count):
        first, height = n // 2 % len(images), n / (2 * count)
        if n % 2 == 0:
            scene = _cover(images[first], WIDTH, HEIGHT, height)
        else:
            scene = Image.new("RGB", (WIDTH, HEIGHT))
            for place in range(4):
                piece = _cover(images[(first + place) % len(images)], WIDTH // 2, HEIGHT // 2, height)
                piece = ImageOps.mirror(piece) if place % 2 else piece
                scene.paste(piece, (place % 2 * WIDTH // 2, place // 2 * HEIGHT // 2))
        made.append(Picture.of_pixels(f"scene {n}", np.array(scene), QUALITY))
    return made


def _cover(image: Image.Image, width: int, height: int, cut: float) -> Image.Image:
    """The image as large as to cover the size. cut: what goes beyond, 0 all of it below, 1 all above."""
    return ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC, centering=(0.5, cut))
