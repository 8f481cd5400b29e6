"""An image on the device, as the engine holds it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class DeviceImage:
    """pixels: UINT8 [3,H,W], with any strides. sums: its integral image INT32 [3,H+1,W+1], once it was needed.

    The rest is as of the same image in NumPy, RGB UINT8 [H,W,3].
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    @classmethod
    def uploaded(cls, pixels: NDArray[np.uint8], device: torch.device) -> "DeviceImage":
        """An image of the host, RGB UINT8 [H,W,3]."""
        return cls(torch.from_numpy(pixels).to(device, non_blocking=True).permute(2, 0, 1))

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.sums: Tensor | None = None
        _, self.height, self.width = pixels.shape

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, 3

    @property
    def integral(self) -> Tensor:
        assert self.sums is not None, "not integrated yet"
        return self.sums

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[np.uint8]:
        """Rows and columns of it, copied to the host: UINT8 [h,w,3]."""
        rows, columns = window
        part: NDArray[np.uint8] = self.pixels[:, rows, columns].permute(1, 2, 0).contiguous().cpu().numpy()
        return part
