"""Pillow's pixel modes to RGB, where `convert("RGB")` alone is wrong or noisy.

Wide samples become 8 bits by a fixed rule, so that a picture does not change with its content:

    I;16 and relatives          the high byte, which is also what Pillow keeps of 16-bit RGB
    I from a PNG                16-bit samples in a 32-bit image: the high byte
    other I (32-bit integers)   and F (floats): by the narrowest of the ranges 0…1 (F only), 0…255,
                                0…65535 and 0…2^32-1 that holds the largest value; negatives and NaN are 0
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_RANGES = (255.0, 65535.0, 4294967295.0)


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """The loaded image in mode RGB, not turned. Raises what Pillow raises."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        return _gray(np.asarray(image) >> 8)
    if image.mode == "I" and image.format == "PNG":
        return _gray(np.asarray(image).clip(0, 65535) >> 8)
    if image.mode in ("I", "F"):
        return _gray(_scaled(np.asarray(image, dtype=np.float64), is_float=image.mode == "F"))
    if "transparency" in image.info:
        # Pillow carries a transparent colour over to the new mode, or warns that it cannot.
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")


def _gray(samples: NDArray[np.generic]) -> Image.Image:
    """[H, W] samples of 0…255 as an RGB image."""
    return Image.fromarray(samples.astype(np.uint8)).convert("RGB")


def _scaled(samples: NDArray[np.float64], is_float: bool) -> NDArray[np.float64]:
    """[H, W] samples of unknown range to 0…255, rounded."""
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    largest = samples.max()
    if is_float and largest <= 1:
        return (samples * 255).round()
    full = next((limit for limit in _RANGES if largest <= limit), largest)
    return (samples * (255 / full)).round()
