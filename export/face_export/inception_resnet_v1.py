"""InceptionResnetV1, the FaceNet network (Szegedy et al. 2016, arXiv:1602.07261; FaceNet: arXiv:1503.03832).

Tensor names are those of facenet-pytorch, so that its state dicts load unchanged. Layers follow David
Sandberg's TensorFlow network, from which the published weights were converted.
"""

import torch
from torch import Tensor, nn

from face_export.inception_blocks import Block35, ConvNormRelu, Mixed6a, Mixed7a, block8, block17

EMBEDDING_SIZE = 512
INPUT_SIZE = 160
"""Side of the square face crop in pixels that the published weights were trained on."""


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
