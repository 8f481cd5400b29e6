"""Pictures for tests: one photo that may be shipped, and what is made of it."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

import face_bench.pictures

DATA = Path(__file__).parent / "data"


def astronaut():
    """The portrait, RGB uint8 [512,512,3]: one face."""
    return np.array(Image.open(DATA / "astronaut.png").convert("RGB"))


def wall(width=1920, height=1080):
    """A grey canvas with the portrait in twelve sizes, RGB uint8 [height,width,3], resized from 1920x1080."""
    return face_bench.pictures.wall(Image.fromarray(astronaut()), width, height)


def crowd():
    """A made-up crowd, RGB uint8 [620,1600,3], and how many heads it has: the portrait's, each tinted, turned and
    mirrored in a fixed random way, in rows that are smaller towards the back. The README shows it."""
    random = np.random.RandomState(12)
    head = Image.fromarray(astronaut()).crop((90, 0, 360, 330))
    outline = Image.new("L", head.size)
    for ellipse in ((52, 16, 206, 226), (6, 205, 262, 560)):
        ImageDraw.Draw(outline).ellipse(ellipse, fill=255)
    outline = outline.filter(ImageFilter.GaussianBlur(4))
    canvas = ImageOps.colorize(Image.linear_gradient("L").resize((1600, 620)), (16, 24, 52), (120, 84, 96))
    count, top, height = 0, 10, 90
    while height < 300:
        width = height * head.width // head.height
        for left in np.arange(width * random.uniform(0, 0.5), canvas.width - width, width * 0.86):
            tinted = ImageEnhance.Color(head).enhance(random.uniform(0.2, 1.3))
            layers = [ImageEnhance.Brightness(tinted).enhance(random.uniform(0.75, 1.15)), outline]
            if random.rand() < 0.5:
                layers = [ImageOps.mirror(layer) for layer in layers]
            angle = random.uniform(-9, 9)
            layers = [layer.rotate(angle, Image.Resampling.BICUBIC).resize((width, height)) for layer in layers]
            place = round(left + random.uniform(-3, 3)), round(top + random.uniform(-0.05, 0.05) * height)
            canvas.paste(layers[0], place, layers[1])
            count += 1
        top, height = top + 0.6 * height, round(1.32 * height)
    return np.array(canvas), count


def stand(width, height, heights=(18, 46), seed=7):
    """Heads of the portrait in rows on noise, close together, RGB uint8 [height,width,3]."""
    return face_bench.pictures.stand(Image.fromarray(astronaut()), width, height, heights, seed)


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
