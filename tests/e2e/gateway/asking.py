"""Pictures as callers of the REST API send them."""

import base64
import io
import json

from PIL import Image

from tests.pictures import DATA, mixed_sizes

PORTRAIT = (DATA / "astronaut.png").read_bytes()

IMAGE = {"Content-Type": "image/png"}
PROBLEM = "application/problem+json"

NO_PICTURE = b"no picture at all"


def encoded(pixels, kind="PNG"):
    """A file of pixels [H, W, 3]."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


def some_pictures(count):
    """Files of different sizes, some without a face."""
    return [encoded(pixels, "JPEG") for pixels in mixed_sizes(count)]


def form(*files):
    """requests' `files`."""
    return [("image", (f"{number}.png", file)) for number, file in enumerate(files)]


def as_json(*files, **fields):
    """Keyword arguments of requests."""
    images = [base64.b64encode(file).decode() for file in files]
    return {"data": json.dumps({"images": images, **fields}), "headers": {"Content-Type": "application/json"}}


def of_data_url(url):
    """Pixels of a `data:` URL, as an image."""
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
