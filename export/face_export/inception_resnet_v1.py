"""InceptionResnetV1, the FaceNet network (Szegedy et al. 2016, arXiv:1602.07261; FaceNet: arXiv:1503.03832).

Tensor names are those of facenet-pytorch, so that its state dicts load unchanged. Layers follow David Sandberg's
TensorFlow network, from which the published weights were converted.

Blocks are float32 `[N,C,H,W]` in and out. Residual blocks keep their input's shape and add `scale` times what their
branches found; reductions (`Mixed6a`, `Mixed7a`) halve height and width and concatenate their branches.
"""

import torch
from torch import Tensor, nn

from face_cascade.networks import EMBEDDING_SIZE

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


class InceptionResnetV1(nn.Module):
    """Embeddings of 160×160 faces, and class scores where the weights have a classifier.

    `num_classes=None` builds no classifier (no `logits.*` tensors); its scores then have zero columns.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        super().__init__()
        self.conv2d_1a = ConvNormRelu(3, 32, 3, stride=2)
        self.conv2d_2a = ConvNormRelu(32, 32, 3)
        self.conv2d_2b = ConvNormRelu(32, 64, 3, padding=1)
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = ConvNormRelu(64, 80, 1)
        self.conv2d_4a = ConvNormRelu(80, 192, 3)
        self.conv2d_4b = ConvNormRelu(192, 256, 3, stride=2)
        self.repeat_1 = nn.Sequential(*(Block35(scale=0.17) for _ in range(5)))
        self.mixed_6a = Mixed6a()
        self.repeat_2 = nn.Sequential(*(block17(scale=0.10) for _ in range(10)))
        self.mixed_7a = Mixed7a()
        self.repeat_3 = nn.Sequential(*(block8(scale=0.20) for _ in range(5)))
        self.block8 = block8(scale=1.0, relu=False)
        self.avgpool_1a = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.6)
        self.last_linear = nn.Linear(1792, EMBEDDING_SIZE, bias=False)
        self.last_bn = nn.BatchNorm1d(EMBEDDING_SIZE, eps=1e-3)
        self.logits = None if num_classes is None else nn.Linear(EMBEDDING_SIZE, num_classes)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 RGB `[N,3,160,160]` in about -1…1 to embeddings `[N,512]` and class scores `[N,C]`.

        Embeddings have L2 norm 1. Scores are not softmaxed; they are taken before the norm, as in training.
        """
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(faces)))
        x = self.conv2d_3b(self.maxpool_3a(x))
        x = self.conv2d_4b(self.conv2d_4a(x))
        x = self.mixed_6a(self.repeat_1(x))
        x = self.mixed_7a(self.repeat_2(x))
        x = self.block8(self.repeat_3(x))
        x = self.dropout(self.avgpool_1a(x).flatten(1))
        features = self.last_bn(self.last_linear(x))
        scores = features[:, :0] if self.logits is None else self.logits(features)
        return torch.nn.functional.normalize(features, dim=1), scores
