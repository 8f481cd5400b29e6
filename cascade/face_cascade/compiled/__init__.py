"""PNet, RNet and ONet as machine code for this processor: arrays in, arrays out, no torch.

A framework runs one operation after the other and writes every map to memory in between. Here a network is one function
that keeps a few rows of each map in the first caches. Maps hold their channels last, filled up with zeros to whole
vectors; a convolution keeps its sums in registers (`convolution.py`), or does with fewer products (`winograd.py`).
Everything is float32 and nothing is left out, so results differ from torch's by rounding alone.

Why not a library: see the performance log. oneDNN (by way of torch) and OpenVINO leave a third to a half of these small
networks' time outside of the convolutions.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from face_cascade.calls import Outputs
from face_cascade.compiled.crops import COMPILED_ONET, COMPILED_RNET
from face_cascade.compiled.layers import Float32
from face_cascade.compiled.pnet import CompiledPNet
from face_cascade.networks import ONET, PNET, RNET, Network
from face_cascade.weights import Weights

__all__ = ["COMPILED", "Batch", "CompiledNetwork", "Weights"]

Batch: TypeAlias = Float32

CompiledNetwork: TypeAlias = Callable[[Batch], Outputs]
"""From a batch to the outputs, as those of the served network."""

COMPILED: Mapping[Network, Callable[[Weights], CompiledNetwork]] = {
    PNET: CompiledPNet,
    RNET: COMPILED_RNET,
    ONET: COMPILED_ONET,
}
"""Each takes the network's weights. Raises WrongWeights where their names and shapes are not exactly the network's; the
first call of a network loads its machine code, or makes it where none is kept for this processor: seconds. They
are called at once, to measure how roughly they round with these weights."""
