"""Files that lack something, but none of the picture's pixels: a JPEG's end marker, later frames of an animation."""

from __future__ import annotations

import struct
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from face_pictures.errors import InvalidImage

_END = b"\xff\xd9"
# What stands for the rest of a file. Pixels that are there do not depend on it; in place of others the decoder makes
# some from it.
_RESTS = (_END, b"\x55" * 64 + _END, b"\xaa" * 64 + _END)

# A download is laid out in zeros before it comes.
_FEW_ZEROS = 3


def jpeg_with_end(data: bytes, read: Callable[[bytes], NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
    """The pixels of a JPEG that lacks its end marker and nothing else, as viewers show it; None for any other file.

    read: what could not read it as it is. Raises MemoryError.
    """
    if not data.startswith(b"\xff\xd8\xff") or _END in data[-64:]:
        return None
    core = data.rstrip(b"\0")
    core = (data if len(data) - len(core) <= _FEW_ZEROS else core).rstrip(b"\xff")
    pixels: NDArray[np.uint8] | None = None
    for rest in _RESTS:
        try:
            found = read(core + rest)
        except InvalidImage:
            return None
        if pixels is not None and not np.array_equal(found, pixels):
            return None
        pixels = found
    return pixels


def first_frame_of_webp(data: bytes) -> bytes | None:
    """A WebP file of the first frame of an animation that is cut short; None where not even that frame is there.

    The decoder wants all frames before it gives the first one.
    """
    at = 12
    while data[:4] == b"RIFF" and at + 8 <= len(data):
        kind, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        at += 8 + size + size % 2
        if kind == b"ANMF":
            return b"RIFF" + struct.pack("<I", at - 8) + data[8:at] if at <= len(data) else None
    return None
