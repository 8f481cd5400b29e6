"""Which networks there are, by the names of `face_cascade.networks`."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from face_cascade.calls import Outputs
from face_cascade.compiled.layers import Float32, Weights
from face_cascade.compiled.onet import CompiledONet
from face_cascade.compiled.pnet import CompiledPNet
from face_cascade.compiled.rnet import CompiledRNet
from face_cascade.networks import ONET, PNET, RNET, Network

Batch: TypeAlias = Float32

CompiledNetwork: TypeAlias = Callable[[Batch], Outputs]

COMPILED: Mapping[Network, Callable[[Weights], CompiledNetwork]] = {
    PNET: CompiledPNet,
    RNET: CompiledRNet,
    ONET: CompiledONet,
}
"""Each takes the network's weights and gives a function from a batch to its outputs, as the served network's."""
