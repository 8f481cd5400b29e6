"""Weights of FaceNet: published ones by name, a file, or random numbers for load tests."""

import math
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from face_export.errors import UntrustedWeights, WeightsError
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.published import NONE, PUBLISHED, RANDOM, RANDOM_NOTE, Published, fetch
from face_export.readers import read_state_dict
from face_export.weights import Weights


def load(choice: str, cache: Path, classes: int | None = None, trust: bool = False) -> Weights:
    """Weights by `choice`: a name in `PUBLISHED`, `random`, or the path of a state dict.

    `classes` is the size of the random classifier; None makes none.
    """
    if choice == RANDOM:
        return random_weights(classes)
    if choice in PUBLISHED:
        return _named(read_state_dict(download(PUBLISHED[choice], cache)), trust=False)
    if not Path(choice).exists():
        names = ", ".join((*PUBLISHED, RANDOM, NONE))
        raise WeightsError(f"there is no file {choice}, and it is none of the known FaceNet weights: {names}")
    return _named(read_state_dict(Path(choice)), trust)


def download(published: Published, cache: Path) -> Path:
    """Path of a published file in `cache`, fetched with a progress bar on stderr if it is not there yet."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(published.file, total=None)
        return fetch(
            published.url,
            published.sha256,
            cache / published.file,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def random_weights(classes: int | None = None) -> Weights:
    """The same random state dict everywhere, scaled so that activations stay in range. Recognises nobody.

    One `RandomState(0)` draws every tensor z from the standard normal in state-dict order, batch counters
    skipped. Variances are 0.5+|z|, means and biases 0.1z, scales 1+0.1z; tensors of two dimensions or more
    are z·√(2/fan-in) after He et al. 2015 (arXiv:1502.01852).
    """
    state = np.random.RandomState(0)
    tensors = {
        name: torch.from_numpy(_draw(state, name, tuple(tensor.shape)).astype(np.float32))
        for name, tensor in InceptionResnetV1(classes).state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return Weights(tensors, "RandomState(0)", None, RANDOM_NOTE, random=True)


def _draw(state: np.random.RandomState, name: str, shape: tuple[int, ...]) -> np.ndarray:
    z = state.standard_normal(shape)
    if name.endswith("running_var"):
        return 0.5 + np.abs(z)
    if len(shape) >= 2:
        return z * math.sqrt(2 / math.prod(shape[1:]))
    if name.endswith(".weight"):
        return 1 + 0.1 * z
    return 0.1 * z


def _named(weights: Weights, trust: bool) -> Weights:
    """Call published files by their release, and refuse another file under a published name."""
    for published in PUBLISHED.values():
        if weights.sha256 == published.sha256:
            return Weights(weights.tensors, published.source, weights.sha256)
        if weights.source == published.file and not trust:
            raise UntrustedWeights(
                f"{weights.source} has SHA-256 {weights.sha256}, the published file {published.sha256}: "
                "download it again, or pass --trust if it is meant to differ"
            )
    return weights
