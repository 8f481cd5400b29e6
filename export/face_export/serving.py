"""The networks as they are served: pixel values 0…255 in, normalised inside, one tensor an output.

Normalising is `(x - 127.5) / 128` in float32, as the networks were trained. It stays an operation of its own:
folding it into the first convolution would change the last digits, and with them boxes at a threshold.
"""

from typing import Final

import torch
from torch import Tensor, nn

from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.mtcnn import ONet, PNet, RNet


class Normalise(nn.Module):
    """Pixel values 0…255 to about -1…1."""

    MEAN: Final[float] = 127.5
    SCALE: Final[float] = 0.0078125  # 1/128, a power of two: multiplying and dividing give the same bits

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.MEAN) * self.SCALE


class ServedPNet(nn.Module):
    """FP32 `[T,3,H,W]` to regression `[T,4,h,w]` and face probability `[T,h,w]`."""

    def __init__(self, network: PNet) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = network

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        regression, probability = self.network(self.normalise(tiles))
        return regression, probability[:, 1].contiguous()


class ServedRNet(nn.Module):
    """FP32 `[N,3,24,24]` to regression `[N,4]` and face probability `[N,1]`."""

    def __init__(self, network: RNet) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        regression, probability = self.network(self.normalise(crops))
        return regression, probability[:, 1:].contiguous()


class ServedONet(nn.Module):
    """FP32 `[N,3,48,48]` to regression `[N,4]`, landmarks `[N,10]` and face probability `[N,1]`."""

    def __init__(self, network: ONet) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        regression, landmarks, probability = self.network(self.normalise(crops))
        return regression, landmarks, probability[:, 1:].contiguous()


class ServedFaceNet(nn.Module):
    """UINT8 RGB `[N,160,160,3]` to embeddings `[N,512]` of L2 norm 1 and class scores `[N,C]`."""

    def __init__(self, network: InceptionResnetV1) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = network

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        pixels = faces.permute(0, 3, 1, 2).to(torch.float32).contiguous()
        embeddings, scores = self.network(self.normalise(pixels))
        return embeddings, scores
