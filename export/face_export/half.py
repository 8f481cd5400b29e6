"""Networks whose convolutions and dense layers compute in float16, for a GPU.

Inputs and outputs keep their types: the first layer takes float32 and rounds it, the last ones give float32. So
normalising before, and softmax and L2 norm behind, are those of float32.
"""

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from face_export.inception_resnet_v1 import ConvNormRelu, InceptionResnetV1
from face_export.mtcnn import ONet, PNet, RNet


class _Rounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.half()


class _Widened(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()


# What computes in float16 begins with the one and ends with the others.
_BORDERS: dict[type[nn.Module], tuple[str, tuple[str, ...]]] = {
    PNet: ("conv1", ("conv4_1", "conv4_2")),
    RNet: ("conv1", ("dense5_1", "dense5_2")),
    ONet: ("conv1", ("dense6_1", "dense6_2", "dense6_3")),
    InceptionResnetV1: ("conv2d_1a", ("last_linear",)),
}

_STAYS = ("last_bn", "logits")
"""Behind the last layer: FaceNet's batch norm and classifier."""


def in_half(network: nn.Module) -> nn.Module:
    """A copy of one of our networks, in eval mode, that rounds its weights and maps to float16.

    Batch norms are folded into their convolutions before: weights are rounded once.
    """
    network = copy.deepcopy(network).eval()
    first, last = next(names for kind, names in _BORDERS.items() if isinstance(network, kind))
    for block in network.modules():
        if isinstance(block, ConvNormRelu):
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)
            setattr(block, "bn", nn.Identity())  # noqa: B010
    for name, layer in network.named_children():
        if name not in _STAYS:
            layer.half()
    setattr(network, first, nn.Sequential(_Rounded(), network.get_submodule(first)))
    for name in last:
        setattr(network, name, nn.Sequential(network.get_submodule(name), _Widened()))
    return network
