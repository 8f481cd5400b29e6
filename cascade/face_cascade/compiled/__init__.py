"""PNet, RNet and ONet as machine code for this processor: arrays in, arrays out, no torch.

A framework runs one operation after the other and writes every map to memory in between. Here a network is one function
that keeps a few rows of each map in the first caches. Maps hold their channels last, filled up with zeros to whole
vectors; a convolution keeps its sums in registers (`convolution.py`). Everything is float32, and every product and sum
that the network asks for is done, so results differ from torch's by rounding alone.

Why not a library: see the performance log. oneDNN (by way of torch) and OpenVINO leave a third to a half of these small
networks' time outside of the convolutions.
"""

from face_cascade.compiled.networks import COMPILED, Batch, CompiledNetwork, Weights

__all__ = ["COMPILED", "Batch", "CompiledNetwork", "Weights"]
