"""Named cases: what somebody would try first to break a face detector."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.e2e.fuzz.messages import Message, add_tensor, encoded, message, pixels
from tests.e2e.fuzz.pictures import animation, black_png, gif, noise, png_with_text, saved, ten_thousand_faces
from tests.pictures import DATA, astronaut, wall

_EVERYTHING = {"threshold_pnet": 0.1, "threshold_rnet": 0, "threshold_onet": 0}
CROWD = "10,000 faces"
_SMALL = np.full((40, 40, 3), 90, np.uint8)


_WRONG_PARAMETERS = (
    *(
        ("min_face_size", value)
        for value in (float("nan"), float("inf"), -float("inf"), 1e308, -1, 0, 2**63, "", "NaN", "1e999")
    ),
    *(("threshold_pnet", value) for value in (float("nan"), -0.1, 1.5, 0, "\x00", "½", '"0.5"')),
    *(("factor", value) for value in (float("nan"), 0, 1, 1.0000001, 5e-324)),
    *(("max_faces", value) for value in (-1, 2**63 - 1, 2**64 - 1, 1.5, "9" * 100_000, True)),
    *(("image_size", value) for value in (0, 15, 1025, 2**31, "160px", False)),
    *(("margin", value) for value in (-1, 160, float("nan"))),
    *(("selection", value) for value in ("", "ALL", "\n", '"', "\\", "x" * 10**6, 1)),
    *((name, value) for name in ("align", "rotations", "clip") for value in ("yes", 1, 0.0, "")),
    *((name, 1) for name in ("min_size", "", "é", "a\nb", '"', "\\", "\x7f")),
)
"""Name and value of parameters that must be refused, each alone."""


def special_cases() -> dict[str, tuple[str, Callable[[], Message]]]:
    """Name → the status that must come back, and what makes the request: some hold 150 MB."""
    portrait = (DATA / "astronaut.png").read_bytes()
    cases: dict[str, tuple[str, Callable[[], Message]]] = {
        "a header of 60,000x60,000 pixels": (
            "INVALID_ARGUMENT",
            lambda: mtcnn(encoded(black_png(60_000, 60_000, b""))),
        ),
        "a bomb of 49 million black pixels": (
            "OK",
            lambda: mtcnn(encoded(black_png(7000, 7000)), {"min_face_size": 500}),
        ),
        "a bomb of 51 million black pixels": ("INVALID_ARGUMENT", lambda: mtcnn(encoded(black_png(7143, 7143)))),
        "sixteen bombs in one request": ("INVALID_ARGUMENT", lambda: mtcnn(encoded(*[black_png(7000, 7000)] * 16))),
        "a bomb in the text beside the pixels": ("INVALID_ARGUMENT", lambda: mtcnn(encoded(png_with_text(1 << 27)))),
        "more pixels than the header says": ("OK", lambda: mtcnn(encoded(black_png(20, 20, bytes(1 << 27))))),
        "a GIF whose frame is larger than its screen": (
            "INVALID_ARGUMENT",
            lambda: mtcnn(encoded(gif(10, 10, 65_535))),
        ),
        "an animation of 300 frames": ("OK", lambda: mtcnn(encoded(animation("GIF", 300)))),
        "an animated WebP": ("OK", lambda: mtcnn(encoded(animation("WEBP", 20)))),
        "an animated PNG": ("OK", lambda: mtcnn(encoded(animation("PNG", 20)))),
        "a TIFF of 200 pages": ("OK", lambda: mtcnn(encoded(animation("TIFF", 200)))),
        "sixteen pictures, one of them damaged": (
            "INVALID_ARGUMENT",
            lambda: mtcnn(encoded(*[portrait] * 15, portrait[:9000])),
        ),
        "sixteen pictures": ("OK", lambda: mtcnn(encoded(*[portrait] * 16))),
        "seventeen pictures": ("INVALID_ARGUMENT", lambda: mtcnn(encoded(*[portrait] * 17))),
        "sixteen pictures of 4 megapixels": (
            "INVALID_ARGUMENT",
            lambda: mtcnn(pixels(*[np.zeros((2000, 2000, 3), np.uint8)] * 16)),
        ),
        CROWD: ("OK", lambda: mtcnn(pixels(ten_thousand_faces()), {"min_face_size": 24})),
        "all that could be a face": ("OK", lambda: mtcnn(pixels(noise(700, 900)), _EVERYTHING)),
        "all that could be a face, in sixteen pictures": (
            "OK",
            lambda: mtcnn(pixels(*[noise(200 + n, 300) for n in [0] * 16]), _EVERYTHING),
        ),
        "all that could be a face, each cut out": (
            "INVALID_ARGUMENT",
            lambda: mtcnn(pixels(astronaut()), {**_EVERYTHING, "image_size": 1024}, ("faces", "num_faces")),
        ),
        "the finest pyramid": ("OK", lambda: mtcnn(pixels(wall(960, 540)), {"min_face_size": 10, "factor": 0.9})),
        "both inputs": ("INVALID_ARGUMENT", lambda: mtcnn({**pixels(_SMALL), **encoded(portrait)})),
        "no input": ("INVALID_ARGUMENT", lambda: mtcnn({})),
        "a picture without a file": ("INVALID_ARGUMENT", lambda: mtcnn(encoded(b""))),
        "no picture": ("INVALID_ARGUMENT", lambda: mtcnn({"image": np.zeros((0, 40, 40, 3), np.uint8)})),
        "a picture without rows": ("INVALID_ARGUMENT", lambda: mtcnn({"image": np.zeros((1, 0, 40, 3), np.uint8)})),
        "a picture without columns": ("INVALID_ARGUMENT", lambda: mtcnn({"image": np.zeros((1, 40, 0, 3), np.uint8)})),
        **{f"bytes that lie: {data!r}": ("INVALID_ARGUMENT", _lie(data)) for data in _LIES},
        "a shape without bytes": ("INVALID_ARGUMENT", lambda: _promise((1, 7000, 7000, 3))),
        "a negative size": ("INVALID_ARGUMENT", lambda: _promise((1, -1, 40, 3))),
        "a size of 2^62": ("INVALID_ARGUMENT", lambda: _promise((1, 2**62, 1, 3))),
        "crops that are not there": ("INVALID_ARGUMENT", lambda: _embeddings(3)),
        "fewer crops than none": ("INVALID_ARGUMENT", lambda: _embeddings(-1)),
        "tiles of nothing but NaN": ("OK", lambda: _tiles(np.nan)),
        "tiles of infinity": ("OK", lambda: _tiles(np.inf)),
        "a model that is not there": ("NOT_FOUND", lambda: message("../mtcnn", {}, outputs=("boxes",))),
    }
    for side in ("wide", "tall"):
        for thin in (1, 13, 300):
            size = (thin, 65_535) if side == "wide" else (65_535, thin)
            cases[f"65,535 pixels {side}, {thin} the other way"] = ("OK", _pixels_of(size))
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "HEIF", "AVIF", "JPEG2000", "PPM"):
        longest = _LONGEST.get(form, 65_535)
        cases[f"a {form} of {longest:,} pixels by 40"] = ("OK", _file_of(form, (longest, 40)))
        for percent in (1, 50, 99):
            cases[f"{percent} % of a {form}"] = ("INVALID_ARGUMENT", _part_of(form, percent))
    for name, value in _WRONG_PARAMETERS:
        cases[f"{name} {_shown(value)}"] = ("INVALID_ARGUMENT", _with(name, value))
    return cases


# A side beyond it the format, or its reader, does not have.
_LONGEST = {"WEBP": 16_383, "JPEG": 65_000, "HEIF": 16_384, "AVIF": 16_384}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 30 else f"{text[:10]}…, {len(text)} characters"


def mtcnn(inputs, parameters=None, outputs=()) -> Message:
    return message("mtcnn", inputs, parameters, outputs)


def _with(name: str, value: object) -> Callable[[], Message]:
    return lambda: mtcnn(pixels(_SMALL), {name: value})


def _pixels_of(size: tuple[int, int]) -> Callable[[], Message]:
    return lambda: mtcnn(pixels(np.full((*size, 3), 127, np.uint8)))


def _file_of(form: str, size: tuple[int, int]) -> Callable[[], Message]:
    return lambda: mtcnn(encoded(saved(Image.new("RGB", size, "tan"), form)))


def _part_of(form: str, percent: int) -> Callable[[], Message]:
    def make() -> Message:
        whole = saved(Image.fromarray(noise(64, 64)), form)
        return mtcnn(encoded(whole[: len(whole) * percent // 100]))

    return make


def _promise(shape: tuple[int, ...]) -> Message:
    """A picture of a shape, and none of its bytes."""
    request = Message(model_name="mtcnn")
    add_tensor(request, "image", "UINT8", shape, b"")
    return request


# A BYTES tensor is its length, 4 bytes little-endian, and the bytes.
_LIES = (
    b"",
    b"\0",
    b"\x05\0\0\0abc",
    b"\x03\0\0\0abcd",
    b"\xff\xff\xff\xff",
    b"\1\0\0\0a\1\0\0\0b",
    b"\xff\xff\xff\x7fabc",
)


def _lie(data: bytes) -> Callable[[], Message]:
    def make() -> Message:
        request = Message(model_name="mtcnn")
        add_tensor(request, "encoded_image", "BYTES", (1, 1), data)
        return request

    return make


def _embeddings(count: int) -> Message:
    """Two crops, said to be `count`."""
    crops = np.zeros((1, 2, 160, 160, 3), np.uint8)
    return message("face_embeddings", {"facenet_crops": crops, "num_crops": np.array([[count]], np.int32)})


def _tiles(value: float) -> Message:
    return message("pnet", {"tiles__0": np.full((1, 3, 256, 256), value, np.float32)})
