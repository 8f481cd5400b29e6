"""What a model repository holds, as far as starting a server needs to know."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_cascade.networks import FACENET
from face_repository import versions

CASCADE, EMBEDDINGS, RECOGNITION = "mtcnn", "face_embeddings", "face_recognition"
"""The models that are no networks: detection, the embeddings of its crops, and the ensemble of both."""

REQUIRED = (*versions.NETWORKS, CASCADE, EMBEDDINGS, RECOGNITION)
"""Every server of ours has these. Without FaceNet, recognition says what it lacks."""

IDENTIFICATION = ("face_names", "face_identification")
"""The names of faces by a gallery, and the ensemble of all three: of a server that has one."""

OPTIONAL = (FACENET.name,)
"""Needs weights that are not on any package index."""

EXPORTED = "model.pt"
"""The file of a network in the folder of its version."""

EXPORT_RECORD = "export.json"
"""What `faces export` says of that file, beside it."""

SHOWN_OF_DIGEST = 12
"""So many digits of a file's SHA-256 are enough for people to tell it from others."""

_ENSEMBLE = 'platform: "ensemble"'


class RepositoryError(Exception):
    """A folder that is no model repository of ours, or lacks what `faces export` writes."""


@dataclass(frozen=True)
class Repository:
    """A model repository: which of our models can be loaded from it, which optional ones cannot."""

    path: Path
    loadable: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What whoever uses a model must know, from its export: random weights, say."""

    @property
    def live(self) -> dict[str, int]:
        """The versions of the cascade's networks that a server takes which starts now."""
        return {name: versions.latest(self.path / name) for name in versions.NETWORKS if name in self.loadable}

    @classmethod
    def read(cls, path: Path, models: tuple[str, ...] | None = None, gallery: bool = False) -> "Repository":
        """What can be loaded: the given models, or else the required ones and those optional ones that are there.

        gallery: whether those of a server that has one are required too.

        Raises:
            RepositoryError: a given or required model is not there or not exported, or by a version that is too old.
        """
        path = path.resolve()
        if not path.is_dir():
            raise RepositoryError(f"the model repository {path} does not exist: `faces export` makes one")
        required = (*REQUIRED, *(IDENTIFICATION if gallery else ())) if models is None else models
        unknown = [name for name in required if not (path / name / "config.pbtxt").is_file()]
        if unknown:
            raise RepositoryError(f"{path} is no model repository of ours: it has no {unknown[0]}/config.pbtxt")
        absent = [name for name in required if not _is_complete(path / name)]
        if absent:
            raise RepositoryError(f"the model repository {path} has no {', '.join(absent)}: run `faces export` first")
        if FACENET.name in (models or OPTIONAL):
            _check_facenet(path)
        if models is not None:
            return cls(path, models, ())
        optional = [name for name in OPTIONAL if _is_complete(path / name)]
        loadable = (*required, *optional)
        return cls(path, loadable, tuple(n for n in OPTIONAL if n not in optional), _notes(path, loadable))


def _check_facenet(path: Path) -> None:
    """Refuses one that cannot tell of its weights yet: where a warm-up fails, Triton 2.51 may end without a word."""
    for number in versions.numbers(path / FACENET.name)[-1:]:
        folder = path / FACENET.name / str(number)
        record = _read(folder / EXPORT_RECORD)
        if record is not None and "random" not in record and (folder / EXPORTED).is_file():
            raise RepositoryError(f"{folder / EXPORTED} was exported by an earlier version: run `faces export` again")


def _notes(path: Path, models: tuple[str, ...]) -> tuple[str, ...]:
    """The notes that `faces export` left beside the exported files that are live."""
    live = [(name, path / name / str(n) / EXPORT_RECORD) for name in models for n in versions.numbers(path / name)[-1:]]
    notes = [(name, _note(record)) for name, record in live if record.is_file()]
    return tuple(f"{name}: {note}" for name, note in notes if note)


def _note(record: Path) -> str:
    read = _read(record)
    # No reason not to serve what was exported.
    return f"{record} is damaged, so whatever it said is lost" if read is None else read.get("note") or ""


def _read(record: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(record.read_text())
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def _is_complete(model: Path) -> bool:
    """Whether a model has its configuration and, in a numbered version, its file; an ensemble has none."""
    configuration = model / "config.pbtxt"
    if not configuration.is_file():
        return False
    numbers = versions.numbers(model)
    if _ENSEMBLE in configuration.read_text():
        return bool(numbers)
    return any((model / str(n) / f).is_file() for n in numbers for f in (EXPORTED, "model.py"))


def default_repository() -> Path:
    """`model_repository` of the source checkout that this package runs from, else of the current folder."""
    checkout = Path(__file__).parents[2] / "model_repository"
    return checkout if checkout.is_dir() else Path("model_repository")
