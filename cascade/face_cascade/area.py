"""Exact area resize by integral image.

Each output value is the plain average over a window of whole pixels, start = ⌊i·in/out⌋, end = ⌈(i+1)·in/out⌉,
as `torch.nn.functional.interpolate(mode="area")` takes it. The integral image turns it into four look-ups.
"""

from functools import lru_cache

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from face_cascade.averages import LANES, average_rows
from face_cascade.machine_code import kept

Int32 = NDArray[np.int32]


def integral_image(image: NDArray[np.uint8]) -> Int32:
    """Sums over all pixels above and left: UINT8 [H,W,3] → INT32 [H+1,W+1,3].

    Sums wrap around at 2³²; differences of four of them are still exact for windows under 16 megapixels.
    """
    height, width = image.shape[0] + 1, image.shape[1] + 1
    # Room of NumPy's: where there is none that is a MemoryError, while OpenCV's own error has a path in it. One value
    # more than there are: what reads four of the last pixel's three must not leave it.
    room = np.empty(height * width * 3 + 1, np.int32)
    sums = room[:-1].reshape(height, width, 3)
    cv2.integral(image, sums, cv2.CV_32S)
    return sums


@lru_cache(maxsize=512)
def area_windows(size: int, out_size: int) -> tuple[Int32, Int32]:
    """Starts and ends (exclusive) of the averaging windows along one axis, INT32 [out_size] each.

    The last 512 are kept, enough for twenty sizes of images: 2 MB where they are 500 long, 40 MB where they are 10,000.
    """
    index = np.arange(out_size + 1, dtype=np.int64)
    starts = (index[:-1] * size) // out_size
    ends = -((-index[1:] * size) // out_size)
    return starts.astype(np.int32), ends.astype(np.int32)


@numba.njit(inline="always", error_model="numpy")
def average_windows(sums, y0, y1, x0, x1, out):  # type: ignore[no-untyped-def]
    """`average_rows` of any width; in compiled code."""
    if len(x0) >= LANES:
        average_rows(sums, y0, y1, x0, x1, out)
        return
    for i in range(out.shape[1]):
        top, bottom = y0[i], y1[i]
        height = np.float32(bottom - top)
        for j in range(out.shape[2]):
            left, right = x0[j], x1[j]
            width = np.float32(right - left)
            for c in range(3):
                total = np.uint32(
                    sums[bottom, right, c] - sums[top, right, c] - sums[bottom, left, c] + sums[top, left, c]
                )
                out[c, i, j] = np.float32(total) / height / width


@kept("void(int32[:,:,::1], int32[::1], int32[::1], int32[::1], int32[::1], float32[:,:,:])")
def area_resize(sums, y0, y1, x0, x1, out):  # type: ignore[no-untyped-def]
    """Writes averages over rows y0[i]…y1[i] and columns x0[j]…x1[j] into FP32 `out` [3,h,w], which may be a view whose
    rows have no gaps."""
    average_windows(sums, y0, y1, x0, x1, out)


def area_crops(sums: Int32, windows: Int32, out: NDArray[np.float32]) -> None:
    """Resizes windows of one image: INT32 `windows` [N,4] (x1,y1,x2,y2, end exclusive) → FP32 `out` [N,3,S,S]."""
    # Not in the compiled code, which would give it back too early: see `average_rows`.
    _area_crops(sums, windows, np.empty((4, out.shape[2]), np.int32), out)


@kept("void(int32[:,:,::1], int32[:,::1], int32[:,::1], float32[:,:,:,::1])")
def _area_crops(sums, windows, room, out):  # type: ignore[no-untyped-def]
    size = out.shape[2]
    y0, y1, x0, x1 = room[0], room[1], room[2], room[3]
    for n in range(windows.shape[0]):
        left, top = windows[n, 0], windows[n, 1]
        width, height = windows[n, 2] - left, windows[n, 3] - top
        for i in range(size):
            y0[i] = top + i * height // size
            y1[i] = top - (-(i + 1) * height) // size
            x0[i] = left + i * width // size
            x1[i] = left - (-(i + 1) * width) // size
        average_windows(sums, y0, y1, x0, x1, out[n])
