"""Does an exported archive answer like the eager network it was made from?"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from face_export.errors import ParityError
from face_export.inception_resnet_v1 import INPUT_SIZE
from face_export.torchscript import from_bytes

TOLERANCE = 1e-5
"""Largest difference allowed, relative to the largest value of the output where that is above 1."""

# Batch and size of the inputs. PNet takes images of any size: one window, odd sizes, past the serving tile.
_SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "pnet": ((2, 3, 64, 96), (1, 3, 12, 12), (1, 3, 13, 15), (1, 3, 257, 257)),
    "rnet": ((5, 3, 24, 24), (1, 3, 24, 24)),
    "onet": ((5, 3, 48, 48), (1, 3, 48, 48)),
    "facenet": ((3, INPUT_SIZE, INPUT_SIZE, 3), (1, INPUT_SIZE, INPUT_SIZE, 3)),
}


def check(name: str, served: nn.Module, archive: bytes) -> float:
    """Largest absolute difference between `archive` and the eager module `served`, or raise `ParityError`."""
    scripted = from_bytes(archive)
    worst = 0.0
    with torch.inference_mode():
        for pixels in inputs(name):
            for index, (want, found) in enumerate(zip(served(pixels), scripted(pixels), strict=True)):
                worst = max(worst, _difference(want, found, f"{name}: output {index} for {tuple(pixels.shape)}"))
    return worst


def inputs(name: str) -> Iterator[Tensor]:
    """Random pixels in every shape, then all black and all white; the first shape again at the end.

    TorchScript profiles its first runs and optimises later ones: the last input meets the optimised graph.
    """
    shapes = _SHAPES[name]
    generator = torch.Generator().manual_seed(0)
    dtype = torch.uint8 if name == "facenet" else torch.float32
    for shape in shapes:
        yield (torch.rand(shape, generator=generator) * 255).to(dtype)
    yield torch.zeros(shapes[-1], dtype=dtype)
    yield torch.full(shapes[-1], 255, dtype=dtype)
    yield (torch.rand(shapes[0], generator=generator) * 255).to(dtype)


def _difference(want: Tensor, found: Tensor, where: str) -> float:
    if want.shape != found.shape or want.dtype != found.dtype:
        raise ParityError(f"{where} is {found.dtype} {tuple(found.shape)}, not {want.dtype} {tuple(want.shape)}")
    if not found.numel():
        return 0.0
    if not (want.isfinite().all() and found.isfinite().all()):
        raise ParityError(f"{where} is not finite")
    difference = float((want - found).abs().max())
    if difference > TOLERANCE * max(1.0, float(want.abs().max())):
        raise ParityError(f"{where} differs from the eager network by {difference:.2g}; nothing was written")
    return difference
