"""The networks as they are served: pixel values 0…255 in, normalised inside, one tensor an output.

Normalising is `(x - 127.5) / 128` in float32, as the networks were trained. It stays an operation of its own: folding
all of it into the first convolution would change the last digits, and with them boxes at a threshold.

PNet is served rearranged for speed (`FusedPNet`): the same numbers with a quarter less work besides the convolutions.
"""

from typing import Final

import torch
from torch import Tensor, nn

from face_export.mtcnn import PNet


class Normalise(nn.Module):
    """Pixel values 0…255 to about -1…1."""

    MEAN: Final[float] = 127.5
    SCALE: Final[float] = 0.0078125  # 1/128, a power of two: multiplying and dividing give the same bits

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.MEAN) * self.SCALE


class _Served(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = network


class ServedPNet(_Served):
    """FP32 `[T,3,H,W]` to regression `[T,4,h,w]` and face probability `[T,h,w]`."""

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        regression, probability = self.network(self.normalise(tiles))
        return regression, probability[:, 1].contiguous()


class ServedRNet(_Served):
    """FP32 `[N,3,24,24]` to regression `[N,4]` and face probability `[N,1]`."""

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        regression, probability = self.network(self.normalise(crops))
        return regression, probability[:, 1:].contiguous()


class ServedONet(_Served):
    """FP32 `[N,3,48,48]` to regression `[N,4]`, landmarks `[N,10]` and face probability `[N,1]`."""

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        regression, landmarks, probability = self.network(self.normalise(crops))
        return regression, landmarks, probability[:, 1:].contiguous()


class ServedFaceNet(_Served):
    """UINT8 RGB `[N,160,160,3]` to embeddings `[N,512]` of L2 norm 1, class scores `[N,C]`, and `about` as UTF-8, UINT8
    `[N,B]`.

    The network itself says what its weights are: whichever server runs it, and whatever version was switched to or
    written over the file since, what comes with an answer is true of that answer.
    """

    def __init__(self, network: nn.Module, about: str) -> None:
        super().__init__(network)
        self.about: Tensor
        self.register_buffer("about", torch.tensor([list(about.encode())], dtype=torch.uint8))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels = faces.permute(0, 3, 1, 2).to(torch.float32).contiguous()
        embeddings, scores = self.network(self.normalise(pixels))
        return embeddings, scores, self.about.expand(faces.shape[0], -1).contiguous()


class ConvPoolPReLU(nn.Module):
    """`pool(prelu(conv(scale * x)))`, computed as PReLU of what was pooled.

    PReLU before a pooling is the dearest step of PNet on a CPU: ten channels at full resolution. It can follow the
    pooling: PReLU falls nowhere (slope ≥ 0), or first falls and then rises (slope < 0), so over any window it is
    largest at the window's maximum or, with a negative slope, at its minimum. The minimum is the maximum of the negated
    channel, which a convolution with negated weights gives. PNet's ten channels with six negative slopes make sixteen.

    Output channels come in another order: `order[i]` is the original channel of output i, negative slopes first.
    """

    def __init__(self, conv: nn.Conv2d, prelu: nn.PReLU, pool: nn.MaxPool2d, scale: float) -> None:
        super().__init__()
        slopes = prelu.weight.detach()
        self.order = torch.argsort(slopes >= 0, stable=True).tolist()
        self.channels: int = len(self.order)
        self.negative: int = int((slopes < 0).sum())
        # A power of two: scaling the weights gives the bits that scaling the input would.
        weight, bias = conv.weight.detach()[self.order] * scale, _bias(conv)[self.order]
        self.conv = nn.Conv2d(conv.in_channels, self.channels + self.negative, 3)
        _fill(
            self.conv,
            torch.cat([weight, -weight[: self.negative]]),
            torch.cat([bias, -bias[: self.negative]]),
        )
        self.pool = pool
        self.prelu = nn.PReLU(self.channels)
        self.prelu.weight = nn.Parameter(slopes[self.order])
        # slope · minimum = −slope · (−minimum); where the minimum is positive, the maximum wins anyway.
        self.register_buffer("negated_slopes", -slopes[self.order][: self.negative].view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.pool(self.conv(images))
        of_maximum = self.prelu(pooled[:, : self.channels])
        of_minimum = pooled[:, self.channels :] * self.negated_slopes
        first = torch.maximum(of_maximum[:, : self.negative], of_minimum)
        return torch.cat([first, of_maximum[:, self.negative :]], dim=1)


class FusedPNet(nn.Module):
    """Does what `ServedPNet` does: FP32 `[T,3,H,W]` to regression `[T,4,h,w]` and face probability `[T,h,w]`."""

    def __init__(self, network: PNet) -> None:
        super().__init__()
        self.mean: float = Normalise.MEAN
        self.first = ConvPoolPReLU(network.conv1, network.prelu1, network.pool1, Normalise.SCALE)
        self.conv2 = nn.Conv2d(10, 16, 3)
        _fill(self.conv2, network.conv2.weight.detach()[:, self.first.order], _bias(network.conv2))
        self.prelu2 = network.prelu2
        self.conv3 = network.conv3
        self.prelu3 = network.prelu3
        heads = (network.conv4_2, network.conv4_1)
        self.heads = nn.Conv2d(32, 6, 1)
        _fill(self.heads, torch.cat([h.weight.detach() for h in heads]), torch.cat([_bias(h) for h in heads]))

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        x = self.prelu2(self.conv2(self.first(tiles - self.mean)))
        # One convolution for both heads.
        heads = self.heads(self.prelu3(self.conv3(x)))
        # The softmax of two values is the logistic function of their difference.
        return heads[:, :4], torch.sigmoid(heads[:, 5] - heads[:, 4])


def _fill(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    conv.weight = nn.Parameter(weight)
    conv.bias = nn.Parameter(bias)


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias.detach()
