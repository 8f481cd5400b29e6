"""What the flow asks of its driver."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from face_cascade.networks import Network

Outputs: TypeAlias = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Call:
    """Run `batch` through `network` and send back its outputs, in the order of `network.outputs`."""

    network: Network
    batch: NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """The largest batch of each network in rows, and the most candidates of one image that go on to RNet.

    Triton refuses a request of more rows than a model's `max_batch_size`. In one process small batches stay in
    the processor's caches.
    """

    pnet: int = 32
    rnet: int = 256
    onet: int = 128
    max_candidates: int = 8192
