"""The four networks, described once: names, tensors, sizes, batch limits, order. Everything else derives from here.

Tensor names follow libtorch's rule `<name>__<index>`. Pixels are 0…255, normalised inside the networks.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """A served network.

    name: of its model. input: its input tensor. outputs: its output tensors, in the order of the model's answer.
    side: pixels of a square input; PNet's is the window that one of its cells sees, and it takes any larger picture.
    max_batch: the most rows that its model takes in one request.
    """

    name: str
    input: str
    outputs: tuple[str, ...]
    side: int
    max_batch: int


PNET = Network("pnet", "tiles__0", ("regression__0", "probability__1"), side=12, max_batch=64)
"""FP32 [T,3,H,W] → regression FP32 [T,4,h,w], probability of a face FP32 [T,h,w]; h = ⌈(H−2)/2⌉−4."""

RNET = Network("rnet", "crops__0", ("regression__0", "probability__1"), side=24, max_batch=1024)
"""FP32 [N,3,24,24] → regression FP32 [N,4], probability FP32 [N,1]."""

ONET = Network("onet", "crops__0", ("regression__0", "landmarks__1", "probability__2"), side=48, max_batch=512)
"""FP32 [N,3,48,48] → regression FP32 [N,4], landmarks FP32 [N,10] (five x, then five y), probability FP32 [N,1]."""

FACENET = Network("facenet", "crops__0", ("embeddings__0", "logits__1", "weights__2"), side=160, max_batch=64)
"""UINT8 [N,160,160,3] → embeddings FP32 [N,512] of L2 norm 1, logits FP32 [N,C], C = 0 without classifier, and what its
weights are, UINT8 [N,B]: the same JSON object in UTF-8 in each row (`face_export.weights.Weights.about`)."""

STAGES = (PNET, RNET, ONET)
"""The networks of the cascade, in the order in which a candidate passes them."""

NETWORKS = {network.name: network for network in (*STAGES, FACENET)}
"""All networks by name."""

PNET_STRIDE = 2
"""Pixels between neighbouring cells of PNet."""

EMBEDDING_SIZE = 512
"""Numbers in an embedding of FaceNet."""
