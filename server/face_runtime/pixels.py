"""Pixels out of Pillow's memory, faster than Pillow hands them out."""

import ctypes

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Else images of more than 16 MB are several blocks, which Pillow does not show.
if hasattr(Image.core, "set_use_block_allocator"):
    Image.core.set_use_block_allocator(1)


class _ArrowArray(ctypes.Structure):
    """The start of the structure of this name in Arrow's C data interface."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.POINTER(ctypes.c_void_p)),
    )


_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def rgb_array(image: Image.Image) -> NDArray[np.uint8]:
    """`np.array` of a loaded image in mode RGB: UINT8 [H,W,3].

    Pillow keeps four bytes a pixel. For `np.array` it packs them in pieces, which are joined and then copied; here
    OpenCV takes three of four from where they lie, which Pillow shows since 11.2.1, as Arrow's lists of four bytes.
    """
    if 0 in image.size or not hasattr(image, "__arrow_c_array__"):
        return np.array(image)
    try:
        _, capsule = image.__arrow_c_array__()
    except ValueError:
        # Made in several blocks, before this module was loaded.
        return np.array(image)
    # The memory is there as long as the capsule is.
    lists = _ArrowArray.from_address(_pointer(capsule, b"arrow_array"))
    samples = _ArrowArray.from_address(lists.children[0])
    stored = np.frombuffer((ctypes.c_uint8 * samples.length).from_address(samples.buffers[1]), np.uint8)
    # Room of NumPy's: where there is none, that is a MemoryError.
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    cv2.cvtColor(stored.reshape(image.height, image.width, 4), cv2.COLOR_RGBA2RGB, pixels)
    return pixels
