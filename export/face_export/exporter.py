"""From a network with its weights to `<repository>/<name>/<version>/model.pt` and `export.json` beside it.

Nothing is written that does not answer like the network it came from, on each way on which it will be served:

- TorchScript, which Triton runs. Where that differs, the export fails.
- PNet, RNet and ONet as arrays, which the cascade runs without torch on a CPU (`face_cascade.compiled`). A network that
  is built otherwise than the compiled one is stored without them, runs in torch there too, and its record says so.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from face_cascade import WrongWeights
from face_cascade.compiled import COMPILED
from face_cascade.networks import FACENET, NETWORKS, PNET, Network
from face_cascade.tiles import TILE_SIZE
from face_export.errors import ExportError, ParityError
from face_export.half import in_half
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.mtcnn import STAGES, ONet, PNet, RNet
from face_export.serving import FusedPNet, ServedFaceNet, ServedONet, ServedPNet, ServedRNet
from face_export.torchscript import from_bytes, to_bytes
from face_export.weights import Weights, count_parameters, digest, load_into
from face_repository.files import replace_atomically
from face_repository.layout import EXPORT_RECORD, EXPORTED
from face_repository.weights import FP16, FP32, with_weights

TOLERANCE = 1e-5
"""Largest difference allowed, relative to the largest value of the output where that is above 1."""

HALF_TOLERANCE = 2e-2
"""The same of half precision. It tells a broken network from a rounded one; whether faces stay is for photos to say."""


@dataclass(frozen=True)
class Export:
    """What was written, as `export.json` holds it."""

    model: str
    source: str
    source_sha256: str | None
    note: str
    """What whoever serves it must know: random weights, or that a CPU runs it in torch."""
    parameters: int
    classes: int | None
    """Columns of the class scores; None for networks that detect."""
    state_dict_sha256: str
    model_sha256: str
    parity_max_difference: float
    """The largest of all ways on which it will be served."""
    torch_version: str
    precision: str = FP32
    """What it computes in on a GPU: `fp32` or `fp16`."""
    random: bool = False
    """The weights were never trained."""


@dataclass(frozen=True)
class Built:
    """A network that can be written. archive: the content of its `model.pt`. reference: the one it came from, as it
    would be served in float32."""

    export: Export
    archive: bytes
    reference: nn.Module

    def write(self, repository: Path, version: int = 1) -> Export:
        """As a version, whatever was there. Raises ExportError; then nothing was written, and what was there stays."""
        path = model_path(repository, self.export.model, version)
        _write(path, self.archive)
        _write(path.with_name(EXPORT_RECORD), (json.dumps(asdict(self.export), indent=2) + "\n").encode())
        return self.export


def export_stage(stage: str, weights: Weights, repository: Path, version: int = 1) -> Export:
    """Export `pnet`, `rnet` or `onet`. A version that is there already is replaced.

    Raises:
        WeightsError, ParityError, ExportError: nothing was written, and what was there stays.
    """
    return build_stage(stage, weights).write(repository, version)


def export_facenet(weights: Weights, repository: Path, version: int = 1) -> Export:
    """Export FaceNet, with a classifier where the weights have one. Raises as `export_stage` does."""
    return build_facenet(weights).write(repository, version)


def build_stage(stage: str, weights: Weights, precision: str = FP32) -> Built:
    """`pnet`, `rnet` or `onet`, not written yet. Raises as `export_stage` does."""
    network = STAGES[stage]()
    load_into(network, weights)
    return _build(NETWORKS[stage], network, weights, None, precision)


def build_facenet(weights: Weights, precision: str = FP32) -> Built:
    """FaceNet likewise."""
    classifier = weights.tensors.get("logits.bias")
    classes = 0 if classifier is None else classifier.numel()
    network = InceptionResnetV1(classes or None)
    load_into(network, weights)
    return _build(FACENET, network, weights, classes, precision)


def model_path(repository: Path, name: str, version: int = 1) -> Path:
    """Where Triton looks for a version of the model `name`."""
    return repository / name / str(version) / EXPORTED


def _build(description: Network, network: nn.Module, weights: Weights, classes: int | None, precision: str) -> Built:
    about = weights.about(digest(network))
    reference = _served(network, about).eval()
    half = precision == FP16
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    archive = to_bytes(_served(in_half(network), about).eval() if half else _fastest(network, reference))
    try:
        difference = parity(description, reference, from_bytes(archive), tolerance)
    except ParityError as error:
        raise ParityError(f"{error}; nothing was written") from error
    notes = [weights.note]
    if description in COMPILED:
        stored = torch.float16 if half else torch.float32
        arrays = {name: tensor.to(stored).numpy() for name, tensor in network.state_dict().items()}
        try:
            difference = max(difference, parity(description, reference, _compiled(description, arrays), tolerance))
            archive = with_weights(archive, arrays)
        except (WrongWeights, ParityError) as error:
            notes.append(f"runs in torch on a CPU too, which is slower, for it is another network: {error}")
    done = Export(
        model=description.name,
        source=weights.source,
        source_sha256=weights.sha256,
        note="; ".join(note for note in notes if note),
        parameters=count_parameters(network),
        classes=classes,
        state_dict_sha256=digest(network),
        model_sha256=hashlib.sha256(archive).hexdigest(),
        parity_max_difference=difference,
        torch_version=torch.__version__,
        precision=precision,
        random=weights.random,
    )
    return Built(done, archive, reference)


def _fastest(network: nn.Module, served: nn.Module) -> nn.Module:
    return FusedPNet(network).eval() if isinstance(network, PNet) else served


def _served(network: nn.Module, about: str) -> nn.Module:
    match network:
        case PNet():
            return ServedPNet(network)
        case RNet():
            return ServedRNet(network)
        case ONet():
            return ServedONet(network)
        case InceptionResnetV1():
            return ServedFaceNet(network, about)
    raise TypeError(f"no serving wrapper for {type(network).__name__}")


def _compiled(description: Network, arrays: Mapping[str, NDArray[Any]]) -> Callable[[Tensor], Sequence[Tensor]]:
    """What a CPU makes of the arrays, from and to tensors. Raises WrongWeights."""
    network = COMPILED[description](arrays)
    return lambda pixels: [torch.from_numpy(output) for output in network(pixels.numpy())]


def parity(
    description: Network,
    wanted: Callable[[Tensor], Sequence[Tensor]],
    found: Callable[[Tensor], Sequence[Tensor]],
    tolerance: float = TOLERANCE,
) -> float:
    """Largest absolute difference between two ways to run a network, or raise `ParityError`."""
    worst = 0.0
    with torch.inference_mode():
        for pixels in _inputs(description):
            for index, (want, got) in enumerate(zip(wanted(pixels), found(pixels), strict=True)):
                where = f"{description.name}: output {index} for {tuple(pixels.shape)}"
                worst = max(worst, _difference(want, got, where, tolerance))
    return worst


def _inputs(description: Network) -> Iterator[Tensor]:
    """Random pixels in every shape, then all black and all white; the first shape again at the end.

    TorchScript profiles its first runs and optimises later ones: the last input meets the optimised graph.
    """
    shapes = _shapes(description)
    generator = torch.Generator().manual_seed(0)
    dtype = torch.uint8 if description == FACENET else torch.float32
    for shape in shapes:
        yield (torch.rand(shape, generator=generator) * 255).to(dtype)
    yield torch.zeros(shapes[-1], dtype=dtype)
    yield torch.full(shapes[-1], 255, dtype=dtype)
    yield (torch.rand(shapes[0], generator=generator) * 255).to(dtype)


def _shapes(description: Network) -> list[tuple[int, ...]]:
    side = description.side
    if description == PNET:
        # It takes images of any size: one window, odd sizes, past the serving tile.
        sizes = ((64, 96), (side, side), (side + 1, side + 3), (TILE_SIZE + 1, TILE_SIZE + 1))
        return [(2 if size == sizes[0] else 1, 3, *size) for size in sizes]
    if description == FACENET:
        return [(3, side, side, 3), (1, side, side, 3)]
    return [(5, 3, side, side), (1, 3, side, side)]


def _difference(want: Tensor, found: Tensor, where: str, tolerance: float) -> float:
    if want.shape != found.shape or want.dtype != found.dtype:
        raise ParityError(f"{where} is {found.dtype} {tuple(found.shape)}, not {want.dtype} {tuple(want.shape)}")
    if not found.numel():
        return 0.0
    if not (want.isfinite().all() and found.isfinite().all()):
        raise ParityError(f"{where} is not finite")
    difference = float((want - found).abs().max())
    if difference > tolerance * max(1.0, float(want.abs().max())):
        raise ParityError(f"{where} differs from the eager network by {difference:.2g}")
    return difference


def _write(path: Path, data: bytes) -> None:
    try:
        replace_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error
