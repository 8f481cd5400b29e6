"""From a network with its weights to `<repository>/<name>/<version>/model.pt` and `export.json` beside it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from face_export import torchscript as parity
from face_export.errors import ExportError
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.mtcnn import STAGES, ONet, PNet, RNet
from face_export.serving import FusedPNet, ServedFaceNet, ServedONet, ServedPNet, ServedRNet
from face_export.torchscript import to_bytes
from face_export.weights import Weights, count_parameters, digest, load_into
from face_repository.files import replace_atomically
from face_repository.layout import EXPORTED
from face_repository.weights import with_weights

FACENET = "facenet"


@dataclass(frozen=True)
class Export:
    """What was written, as `export.json` holds it."""

    model: str
    source: str
    source_sha256: str | None
    note: str
    parameters: int
    classes: int | None
    """Columns of the class scores; None for networks that detect."""
    state_dict_sha256: str
    model_sha256: str
    parity_max_difference: float
    torch_version: str


def export_stage(stage: str, weights: Weights, repository: Path, version: int = 1) -> Export:
    """Export `pnet`, `rnet` or `onet`. A version that is there already is replaced."""
    network = STAGES[stage]()
    load_into(network, weights)
    return _export(stage, network, weights, model_path(repository, stage, version), classes=None)


def export_facenet(weights: Weights, repository: Path, version: int = 1) -> Export:
    """Export FaceNet, with a classifier where the weights have one."""
    classifier = weights.tensors.get("logits.bias")
    network = InceptionResnetV1(None if classifier is None else classifier.numel())
    load_into(network, weights)
    path = model_path(repository, FACENET, version)
    return _export(FACENET, network, weights, path, classes=0 if classifier is None else len(classifier))


def model_path(repository: Path, name: str, version: int = 1) -> Path:
    """Where Triton looks for a version of the model `name`."""
    return repository / name / str(version) / EXPORTED


def _export(name: str, network: nn.Module, weights: Weights, path: Path, classes: int | None) -> Export:
    served = _served(network).eval()
    archive = to_bytes(FusedPNet(network).eval() if isinstance(network, PNet) else served)
    if name in STAGES:
        # The cascade on a CPU runs these without torch (`face_cascade.compiled`).
        archive = with_weights(archive, {key: tensor.numpy() for key, tensor in network.state_dict().items()})
    difference = parity.check(name, served, archive)
    done = Export(
        model=name,
        source=weights.source,
        source_sha256=weights.sha256,
        note=weights.note,
        parameters=count_parameters(network),
        classes=classes,
        state_dict_sha256=digest(network),
        model_sha256=hashlib.sha256(archive).hexdigest(),
        parity_max_difference=difference,
        torch_version=torch.__version__,
    )
    write_atomically(path, archive)
    write_atomically(path.with_name("export.json"), (json.dumps(asdict(done), indent=2) + "\n").encode())
    return done


def _served(network: nn.Module) -> nn.Module:
    match network:
        case PNet():
            return ServedPNet(network)
        case RNet():
            return ServedRNet(network)
        case ONet():
            return ServedONet(network)
        case InceptionResnetV1():
            return ServedFaceNet(network)
    raise TypeError(f"no serving wrapper for {type(network).__name__}")


def write_atomically(path: Path, data: bytes) -> None:
    """Write whole or not at all. Raises ExportError where that is impossible."""
    try:
        replace_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror}") from error
