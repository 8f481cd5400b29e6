"""What callers hold in their hands, made into what is sent: a file as it is, pixels as RGB.

Files, Pillow images, arrays and tensors are taken; what looks like a picture and is none (a URL, base64, a batch,
channels first, floats) is refused with a sentence that says what to do.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import InvalidInput
from face_pictures.decoding import decode_shrunk, downscale, image_size, to_rgb
from face_pictures.formats import format_of


class FileLike(Protocol):
    """What is open for reading bytes."""

    def read(self) -> bytes: ...


class ArrayLike(Protocol):
    """What NumPy reads as an array."""

    def __array__(self, *arguments: Any, **options: Any) -> NDArray[Any]: ...


ImageLike = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, FileLike, Image.Image, ArrayLike]
"""A picture.

    path, bytes           of a file in one of the formats that are read
    file object           open for reading bytes: a file, BytesIO, an upload; read from its start, if it can go there
    Pillow image          turned upright by its EXIF orientation
    array, tensor         uint8: [H, W, 3] RGB; [H, W, 4] RGB and transparency, which is dropped while the colours under
                          it stay, as of a file; [H, W] or [H, W, 1] gray; [H, W, 2] gray and transparency. Whatever
                          NumPy reads as an array: torch's tensors (also a GPU's), TensorFlow's, JAX's
"""

Tensors = Mapping[str, NDArray[Any]]

# A scheme of two letters or more: with one it is a drive. pathlib makes one slash of two.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_DATA_URI = re.compile(r"data:[\w.+/-]*(;[\w=.+-]+)*,")
# What the files of JPEG, PNG, WebP and GIF begin with, as text.
_BASE64 = ("/9j/", "iVBORw0KGgo", "UklGR", "R0lGOD")
_LONGEST_QUOTE = 60


def prepared(image: ImageLike, max_side: int | None) -> tuple[Tensors, tuple[int, int] | None]:
    """The model's inputs for one image, and its (width, height) where it was shrunk for them, upright.

    Files go as they are: they are smaller than their pixels and the server reads them with the same code.
    Raises InvalidInput, InvalidImage among it, and OSError for a path that cannot be read.
    """
    if isinstance(image, (str, os.PathLike)):
        return _of_file(_read_path(os.fsdecode(image)), max_side)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _of_file(bytes(image), max_side)
    if isinstance(image, Image.Image):
        return _of_array(to_rgb(image), max_side)
    if is_array(image):
        return _of_array(_rgb(as_array(image)), max_side)
    if hasattr(image, "read"):
        return _of_file(_read_file(image), max_side)
    raise _refusal(image)


def pictures(images: Any) -> Any:
    """The images of a batch, as they were given. Raises InvalidInput for what is one picture, or nothing to go through.

    images: an iterable of pictures, also an asynchronous one or an array [N, H, W, C].
    """
    if is_array(images):
        # A stack of gray pictures has three dimensions too, and so has a picture with its channels first.
        if len(images.shape) not in (1, 4):
            raise InvalidInput(
                f"images is an array of shape {list(images.shape)}, one picture; it must be an iterable of pictures, "
                "such as [image], or an array [N, H, W, 3]"
            )
    elif isinstance(images, _ONE) or hasattr(images, "read"):
        raise InvalidInput(
            f"images is one picture, a {type(images).__name__}; it must be an iterable of pictures, such as [image]"
        )
    elif not hasattr(images, "__iter__") and not hasattr(images, "__aiter__"):
        raise InvalidInput(f"images is of type {type(images).__name__}; it must be an iterable of pictures")
    return images


_ONE = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)


def is_array(image: object) -> bool:
    """Whether NumPy reads it as an array, or says why not."""
    return hasattr(image, "__array__") and hasattr(image, "shape")


def as_array(image: Any, field: str = "image") -> NDArray[Any]:
    """Whatever NumPy reads as an array, also a torch tensor on a GPU, in a graph, or of bfloat16.

    Raises InvalidInput where it cannot be read.
    """
    try:
        if hasattr(image, "detach"):
            image = image.detach().cpu()
            if str(image.dtype) == "torch.bfloat16":
                # The upper half of a 32-bit float; in NumPy, for torch's own threads hang in a forked process.
                halves = image.view(sys.modules["torch"].int16).numpy().view(np.uint16)
                return (halves.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"{field} is of type {type(image).__name__}"
        raise InvalidInput(f"{what} and cannot be read as an array: {_one_line(error)}") from error


def _read_path(path: str) -> bytes:
    _check_is_path(path)
    try:
        return Path(path).read_bytes()
    except OSError:
        if path.startswith(_BASE64):
            raise InvalidInput(_decode_first("base64 text", path)) from None
        raise


def _check_is_path(path: str) -> None:
    if _DATA_URI.match(path):
        raise InvalidInput(_decode_first("a data URI", path.partition(",")[0] + ","))
    if path.startswith("file:"):
        raise InvalidInput(f"image is the URL {_quoted(path)}; give the path alone")
    if _URL.match(path):
        raise InvalidInput(f"image is the URL {_quoted(path)}; fetch it, and give the bytes that come")
    if not path:
        raise InvalidInput("image is an empty string; it must be a path, bytes, a Pillow image or an array")
    if "\0" in path:
        raise InvalidInput("image is text with a zero byte; give a path as text, the contents of a file as bytes")


def _decode_first(what: str, text: str) -> str:
    return f"image is {what} ({_quoted(text)}); decode it with base64.b64decode, and give the bytes"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")


def _read_file(file: Any) -> bytes:
    """All of a file object, from its start where it can go there, as Pillow does."""
    kind = type(file).__name__
    if isinstance(file, io.TextIOBase):
        raise InvalidInput(f"image is a file that is open for text ({kind}); open it with mode 'rb'")
    if getattr(file, "closed", False) is True:
        raise InvalidInput(f"image is a closed file ({kind})")
    try:
        if hasattr(file, "seek") and (not hasattr(file, "seekable") or file.seekable() is True):
            file.seek(0)
        data = file.read()
    except io.UnsupportedOperation as error:
        raise InvalidInput(f"image is a file that cannot be read ({kind}: {error})") from error
    if inspect.isawaitable(data):
        if inspect.iscoroutine(data):
            data.close()
        raise InvalidInput(f"image.read() must be awaited ({kind}); give the bytes that it returns")
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise InvalidInput(f"image.read() returns {type(data).__name__} ({kind}); it must return bytes")


def _of_file(data: bytes, max_side: int | None) -> tuple[Tensors, tuple[int, int] | None]:
    head = data[:_LONGEST_QUOTE].decode("latin-1")
    if head.startswith(_BASE64):
        raise InvalidInput(_decode_first("base64 text", head))
    if _DATA_URI.match(head):
        raise InvalidInput(_decode_first("a data URI", head.partition(",")[0] + ","))
    # What is no picture at all need not travel to be refused.
    format_of(data)
    if max_side is not None and max(image_size(data)) > max_side:
        shrunk, size = decode_shrunk(data, max_side)
        return {"image": shrunk[np.newaxis]}, size
    return {"encoded_image": np.array([[data]], dtype=np.object_)}, None


def _of_array(image: NDArray[np.uint8], max_side: int | None) -> tuple[Tensors, tuple[int, int] | None]:
    sent = image if max_side is None else downscale(image, max_side)
    size = image.shape[1], image.shape[0]
    return {"image": np.ascontiguousarray(sent)[np.newaxis]}, None if sent is image else size


def _rgb(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The array as RGB [H, W, 3]."""
    wanted = "it must be uint8, [H, W, 3] RGB or [H, W] gray (with one channel more for transparency)"
    said = f"image is {array.dtype} with shape {list(array.shape)}"
    if array.ndim == 4:
        raise InvalidInput(f"{said}, a batch; give it to detect_batch, or one picture of it here")
    if not has_channels_last(array):
        if array.ndim == 3 and array.shape[0] in _CHANNELS:
            raise InvalidInput(f"{said}, with its channels first; move them to the end: image.transpose(1, 2, 0)")
        raise InvalidInput(f"{said}; {wanted}")
    if 0 in array.shape:
        raise InvalidInput(f"{said}; it must have at least one pixel")
    if array.dtype != np.uint8:
        raise InvalidInput(f"{said}; it must be uint8: {_to_levels(array)}")
    return in_three(array)


_CHANNELS = (1, 2, 3, 4)


def has_channels_last(array: NDArray[Any]) -> bool:
    """Whether it has the shape of one picture: [H, W], or [H, W, C] with up to four channels."""
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] in _CHANNELS)


def in_three(array: NDArray[Any]) -> NDArray[Any]:
    """Pixels [H, W], [H, W, 1], [H, W, 2], [H, W, 3] or [H, W, 4] as [H, W, 3]: gray is repeated, transparency is
    dropped."""
    planes = array[:, :, np.newaxis] if array.ndim == 2 else array
    return planes[:, :, :3] if planes.shape[2] >= 3 else np.repeat(planes[:, :, :1], 3, axis=2)


def _to_levels(array: NDArray[Any]) -> str:
    """How to make grey levels of numbers of another type."""
    if array.dtype.kind == "b":
        return "image.astype(np.uint8) * 255"
    if array.dtype.kind not in "uif":
        return "numbers from 0 to 255"
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        return f"its values go from {low:g} to {high:g}, scale them to 0…255 first"
    if array.dtype.kind == "f" and high <= 1:
        return "its values go to 1, so (image * 255).round().astype(np.uint8)"
    return "image.round().astype(np.uint8)" if array.dtype.kind == "f" else "image.astype(np.uint8)"


def _refusal(image: object) -> InvalidInput:
    kind = type(image).__name__
    if isinstance(image, (Sequence, Iterator, set, frozenset)):
        return InvalidInput(
            f"image is a {kind}; it must be one picture: many go to detect_batch, numbers into an array"
        )
    hint = " (cv2.imread returns None for a file that it cannot read)" if image is None else ""
    return InvalidInput(
        f"image is of type {kind}{hint}; it must be a path, bytes, a file object, a Pillow image or an array"
    )


def _one_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
