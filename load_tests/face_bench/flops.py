"""Floating-point operations of the networks: two for every multiplication with its addition.

Biases, activations, pooling and softmax are left out: they are a few in a hundred, and leaving them out makes the
floor lower, never higher.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from face_cascade import DetectionParameters
from face_cascade.networks import ONET, RNET
from face_cascade.tiles import pyramid_levels


@dataclass(frozen=True)
class Conv:
    """A convolution without padding, stride 1, or several beside each other on the same input."""

    inputs: int
    outputs: int
    kernel: int


@dataclass(frozen=True)
class Pool:
    """Stride 2, with a partial window at the far edge."""

    kernel: int


@dataclass(frozen=True)
class Dense:
    inputs: int
    outputs: int


Layer = Conv | Pool | Dense

# Zhang et al. 2016. The heads (probability 2, regression 4, landmarks 10) count as one last layer.
PNET_LAYERS: tuple[Layer, ...] = (Conv(3, 10, 3), Pool(2), Conv(10, 16, 3), Conv(16, 32, 3), Conv(32, 2 + 4, 1))
RNET_LAYERS: tuple[Layer, ...] = (
    Conv(3, 28, 3),
    Pool(3),
    Conv(28, 48, 3),
    Pool(3),
    Conv(48, 64, 2),
    Dense(3 * 3 * 64, 128),
    Dense(128, 2 + 4),
)
ONET_LAYERS: tuple[Layer, ...] = (
    Conv(3, 32, 3),
    Pool(3),
    Conv(32, 64, 3),
    Pool(3),
    Conv(64, 64, 3),
    Pool(2),
    Conv(64, 128, 2),
    Dense(3 * 3 * 128, 256),
    Dense(256, 2 + 4 + 10),
)


def flops(layers: Sequence[Layer], height: int, width: int) -> int:
    """One pass over one input of height × width pixels."""
    operations = 0
    for layer in layers:
        match layer:
            case Conv(inputs, outputs, kernel):
                height, width = height - kernel + 1, width - kernel + 1
                operations += 2 * inputs * kernel * kernel * outputs * height * width
            case Pool(kernel):
                height, width = (-(-(side - kernel) // 2) + 1 for side in (height, width))
            case Dense(inputs, outputs):
                operations += 2 * inputs * outputs
    return operations


def pyramid_flops(height: int, width: int, parameters: DetectionParameters | None = None) -> int:
    """PNet over all levels of an image, each pixel once."""
    parameters = parameters or DetectionParameters()
    levels = pyramid_levels(height, width, parameters.min_face_size, parameters.factor)
    return sum(flops(PNET_LAYERS, level.height, level.width) for level in levels)


def rnet_flops() -> int:
    """One candidate."""
    return flops(RNET_LAYERS, RNET.side, RNET.side)


def onet_flops() -> int:
    """One candidate."""
    return flops(ONET_LAYERS, ONET.side, ONET.side)
