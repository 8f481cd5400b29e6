"""Grey levels to what a network wants."""

from __future__ import annotations

import torch


def fixed_image_standardization(image_tensor: torch.Tensor) -> torch.Tensor:
    """Grey levels 0…255 to (level - 127.5) / 128, which FaceNet was trained on."""
    return (image_tensor - 127.5) / 128.0


def prewhiten(x: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1, this at least 1/√(number of values) before: FaceNet's older way.

    InceptionResnetV1 here does not take it: the served network wants grey levels.
    """
    deviation = x.std().clamp(min=x.numel() ** -0.5)
    return (x - x.mean()) / deviation
