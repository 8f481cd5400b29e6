"""Whether tensors are exactly those of a network."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from face_cascade.networks import Network
from face_cascade.parameters import WrongWeights

Weights = Mapping[str, NDArray[np.float32]]
"""A network's tensors under the names of facenet-pytorch's state dict: `conv1.weight`, `prelu1.weight`, …"""


def checked(network: Network, weights: Weights, wanted: Mapping[str, tuple[int, ...]]) -> Weights:
    """The tensors in float32, which those of a network in half precision are widened to.

    Raises WrongWeights unless names and shapes are exactly the wanted ones.
    A tensor that is left over is as wrong as one that is missing: it is of a layer that the compiled network lacks.
    """
    for name, shape in wanted.items():
        if name not in weights:
            raise WrongWeights(f"compiled {network.name} wants a tensor {name} of shape {list(shape)}; there is none")
        found = np.shape(weights[name])
        if found != shape:
            raise WrongWeights(f"compiled {network.name} wants {name} of shape {list(shape)}, not {list(found)}")
    unknown = sorted(set(weights) - set(wanted))
    if unknown:
        raise WrongWeights(f"compiled {network.name} has no tensor {unknown[0]}")
    return {name: np.asarray(array, np.float32) for name, array in weights.items()}
