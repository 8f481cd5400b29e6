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
    the processor's caches: `pnet_pixels` bounds PNet's by what its tiles cover together.
    """

    pnet: int = 64
    rnet: int = 1024
    onet: int = 512
    pnet_pixels: int = 64 * 256 * 256
    max_candidates: int = 8192

    def pnet_tiles(self, height: int, width: int) -> int:
        """How many tiles of this shape go into one batch, at least one."""
        return max(1, min(self.pnet, self.pnet_pixels // (height * width)))
