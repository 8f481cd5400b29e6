"""Building blocks of InceptionResnetV1: float32 `[N,C,H,W]` in and out.

Residual blocks keep their input's shape and add `scale` times what their branches found; reductions
(`Mixed6a`, `Mixed7a`) halve height and width and concatenate their branches.
"""

import torch
from torch import Tensor, nn

_Kernel = int | tuple[int, int]


class ConvNormRelu(nn.Module):
    """Convolution without bias, batch norm with TensorFlow's epsilon of 1e-3, ReLU."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: _Kernel, stride: int = 1, padding: _Kernel = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)))


class Block35(nn.Module):
    """Residual block on the 35×35 grid of the paper: 256 channels, three branches."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.branch0 = ConvNormRelu(256, 32, 1)
        self.branch1 = nn.Sequential(ConvNormRelu(256, 32, 1), ConvNormRelu(32, 32, 3, padding=1))
        self.branch2 = nn.Sequential(
            ConvNormRelu(256, 32, 1), ConvNormRelu(32, 32, 3, padding=1), ConvNormRelu(32, 32, 3, padding=1)
        )
        self.conv2d = nn.Conv2d(96, 256, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = torch.cat((self.branch0(x), self.branch1(x), self.branch2(x)), dim=1)
        return torch.relu(self.conv2d(branches) * self.scale + x)


class FactorisedBlock(nn.Module):
    """Residual block whose second branch splits a k×k convolution into 1×k and k×1."""

    def __init__(self, channels: int, width: int, kernel: int, scale: float, relu: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.relu = relu
        reach = kernel // 2
        self.branch0 = ConvNormRelu(channels, width, 1)
        self.branch1 = nn.Sequential(
            ConvNormRelu(channels, width, 1),
            ConvNormRelu(width, width, (1, kernel), padding=(0, reach)),
            ConvNormRelu(width, width, (kernel, 1), padding=(reach, 0)),
        )
        self.conv2d = nn.Conv2d(2 * width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = torch.cat((self.branch0(x), self.branch1(x)), dim=1)
        x = self.conv2d(branches) * self.scale + x
        return torch.relu(x) if self.relu else x


def block17(scale: float) -> FactorisedBlock:
    """Residual block on the 17×17 grid of the paper: 896 channels."""
    return FactorisedBlock(channels=896, width=128, kernel=7, scale=scale)


def block8(scale: float, relu: bool = True) -> FactorisedBlock:
    """Residual block on the 8×8 grid of the paper: 1,792 channels."""
    return FactorisedBlock(channels=1792, width=192, kernel=3, scale=scale, relu=relu)


class Mixed6a(nn.Module):
    """Reduction from 256 to 896 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvNormRelu(256, 384, 3, stride=2)
        self.branch1 = nn.Sequential(
            ConvNormRelu(256, 192, 1),
            ConvNormRelu(192, 192, 3, padding=1),
            ConvNormRelu(192, 256, 3, stride=2),
        )
        self.branch2 = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.branch0(x), self.branch1(x), self.branch2(x)), dim=1)


class Mixed7a(nn.Module):
    """Reduction from 896 to 1,792 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(ConvNormRelu(896, 256, 1), ConvNormRelu(256, 384, 3, stride=2))
        self.branch1 = nn.Sequential(ConvNormRelu(896, 256, 1), ConvNormRelu(256, 256, 3, stride=2))
        self.branch2 = nn.Sequential(
            ConvNormRelu(896, 256, 1),
            ConvNormRelu(256, 256, 3, padding=1),
            ConvNormRelu(256, 256, 3, stride=2),
        )
        self.branch3 = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)), dim=1)
