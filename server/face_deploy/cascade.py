"""The cascade with any versions of its networks, in this process: as a server on a CPU runs it, but apart from it."""

import io
import time
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_cascade import ONET, PNET, RNET, DetectionParameters, detect, drive
from face_cascade.compiled import COMPILED
from face_cascade.compiled.networks import CompiledNetwork
from face_deploy.answers import Answer
from face_deploy.errors import DeployError
from face_server.environment import cores
from face_server.runtime.processor import on_this_processor
from face_server.stored_weights import read_weights

_BY_NAME = {network.name: network for network in (PNET, RNET, ONET)}


class LocalCascade:
    """The cascade on the networks in these files, by name. Takes seconds to compile.

    Raises DeployError for a file that holds no weights.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        networks = {_BY_NAME[name]: _network(name, path) for name, path in files.items()}
        self._networks = on_this_processor(networks, cores())

    def detect(self, image: NDArray[np.uint8], parameters: DetectionParameters) -> Answer:
        """image: RGB UINT8 [H, W, 3]."""
        started = time.perf_counter()
        networks = self._networks
        (found,) = drive(detect([image], [parameters], networks.limits), networks.run, networks.map)
        seconds = time.perf_counter() - started
        return Answer(found.boxes, found.landmarks, found.probabilities, seconds)


def _network(name: str, path: Path) -> CompiledNetwork:
    try:
        return _compiled(name, path.read_bytes())
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DeployError(f"{path} holds no weights of {name} ({error}): export it with `faces export`") from error


@cache
def _compiled(name: str, archive: bytes) -> CompiledNetwork:
    """Both sides of a comparison share the networks in which they do not differ."""
    return COMPILED[_BY_NAME[name]](read_weights(io.BytesIO(archive)))
