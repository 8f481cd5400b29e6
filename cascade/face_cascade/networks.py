"""What the four networks are called and how their tensors are named: the one home of these facts.

Names follow libtorch's rule `<name>__<index>`. Pixels are 0…255, normalised inside the networks.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """A served network: model name, input tensor and outputs in the order in which the model returns them."""

    name: str
    input: str
    outputs: tuple[str, ...]


PNET = Network("pnet", "tiles__0", ("regression__0", "probability__1"))
"""FP32 [T,3,H,W] → regression FP32 [T,4,h,w], probability of a face FP32 [T,h,w]; h = ⌈(H−2)/2⌉−4."""

RNET = Network("rnet", "crops__0", ("regression__0", "probability__1"))
"""FP32 [N,3,24,24] → regression FP32 [N,4], probability FP32 [N,1]."""

ONET = Network("onet", "crops__0", ("regression__0", "landmarks__1", "probability__2"))
"""FP32 [N,3,48,48] → regression FP32 [N,4], landmarks FP32 [N,10] (five x, then five y), probability FP32 [N,1]."""

FACENET = Network("facenet", "crops__0", ("embeddings__0", "logits__1"))
"""UINT8 [N,160,160,3] → embeddings FP32 [N,512] of L2 norm 1, logits FP32 [N,C], C = 0 without classifier."""

PNET_STRIDE = 2
"""Pixels between neighbouring cells of PNet."""

PNET_WINDOW = 12
"""Side in pixels of what one cell of PNet sees."""

RNET_SIZE = 24
ONET_SIZE = 48
FACENET_SIZE = 160

EMBEDDING_SIZE = 512
