"""PNet, RNet and ONet: the three networks of MTCNN (Zhang et al. 2016, arXiv:1604.02878).

Tensor names are those of facenet-pytorch, so that its state dicts load unchanged. Inputs are float32 RGB in
about -1…1, `[N,3,H,W]`. Probabilities have two channels, (no face, face), after the softmax; regressions are
(x1, y1, x2, y2) as fractions of the window's size; landmarks are five x, then five y, as fractions likewise.
"""

import torch
from torch import Tensor, nn

from face_cascade import networks


def _pool(size: int) -> nn.MaxPool2d:
    """Stride 2, keeping the partial window at the far edge as Caffe does."""
    return nn.MaxPool2d(size, stride=2, ceil_mode=True)


def _flatten(features: Tensor) -> Tensor:
    """`[N,C,H,W]` to `[N,W·H·C]`: the dense weights were trained with x before y."""
    return features.permute(0, 3, 2, 1).flatten(1)


class PNet(nn.Module):
    """Proposals: a 12×12 window at stride 2 over an image of any size. 6,632 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, 3)
        self.prelu1 = nn.PReLU(10)
        self.pool1 = _pool(2)
        self.conv2 = nn.Conv2d(10, 16, 3)
        self.prelu2 = nn.PReLU(16)
        self.conv3 = nn.Conv2d(16, 32, 3)
        self.prelu3 = nn.PReLU(32)
        self.conv4_1 = nn.Conv2d(32, 2, 1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`[N,3,H,W]` to regression `[N,4,h,w]` and probability `[N,2,h,w]`, h = ⌈(H-2)/2⌉ - 4."""
        x = self.pool1(self.prelu1(self.conv1(images)))
        x = self.prelu2(self.conv2(x))
        x = self.prelu3(self.conv3(x))
        return self.conv4_2(x), torch.softmax(self.conv4_1(x), dim=1)


class RNet(nn.Module):
    """Refinement of 24×24 crops. 100,178 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 28, 3)
        self.prelu1 = nn.PReLU(28)
        self.pool1 = _pool(3)
        self.conv2 = nn.Conv2d(28, 48, 3)
        self.prelu2 = nn.PReLU(48)
        self.pool2 = _pool(3)
        self.conv3 = nn.Conv2d(48, 64, 2)
        self.prelu3 = nn.PReLU(64)
        self.dense4 = nn.Linear(3 * 3 * 64, 128)
        self.prelu4 = nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.dense5_2 = nn.Linear(128, 4)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """`[N,3,24,24]` to regression `[N,4]` and probability `[N,2]`."""
        x = self.pool1(self.prelu1(self.conv1(crops)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.dense4(_flatten(x)))
        return self.dense5_2(x), torch.softmax(self.dense5_1(x), dim=1)


class ONet(nn.Module):
    """Output: final box and landmarks of 48×48 crops. 389,040 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3)
        self.prelu1 = nn.PReLU(32)
        self.pool1 = _pool(3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.prelu2 = nn.PReLU(64)
        self.pool2 = _pool(3)
        self.conv3 = nn.Conv2d(64, 64, 3)
        self.prelu3 = nn.PReLU(64)
        self.pool3 = _pool(2)
        self.conv4 = nn.Conv2d(64, 128, 2)
        self.prelu4 = nn.PReLU(128)
        self.dense5 = nn.Linear(3 * 3 * 128, 256)
        self.prelu5 = nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`[N,3,48,48]` to regression `[N,4]`, landmarks `[N,10]` and probability `[N,2]`."""
        x = self.pool1(self.prelu1(self.conv1(crops)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = self.pool3(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(_flatten(x)))
        return self.dense6_2(x), self.dense6_3(x), torch.softmax(self.dense6_1(x), dim=1)


STAGES: dict[str, type[PNet] | type[RNet] | type[ONet]] = {
    networks.PNET.name: PNet,
    networks.RNET.name: RNet,
    networks.ONET.name: ONet,
}
"""The stages of the cascade in the order they run, each with its network."""
