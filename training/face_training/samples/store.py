"""A folder of samples: shards, one .npy file each, that are read as they lie (memory-mapped).

Plain .npy of fixed rows, and no archive format: any row is one look-up away, so that batches are drawn from the whole
set and not from a window of a stream; nothing is decoded in between; NumPy is there anyway.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_cascade.compiled import Weights
from face_training.errors import SamplesError
from face_training.samples.records import Records
from face_training.workplace import RECIPE, write_file, write_text


class Shards:
    """All rows in a folder, as if they were one array. Raises SamplesError where there are none, or a damaged one."""

    def __init__(self, folder: Path, row: np.dtype[Any]) -> None:
        self._shards = [_open(path, row) for path in sorted(folder.glob("*.npy"))]
        self._starts = np.cumsum([0, *(len(shard) for shard in self._shards)])
        if not self._starts[-1]:
            raise SamplesError(f"there are no samples in {folder}")
        self._row = row

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> NDArray[Any]:
        """One field of all rows, in memory."""
        return np.concatenate([shard[name] for shard in self._shards])

    def take(self, rows: NDArray[np.integer]) -> Records:
        """The rows with these numbers, in this order."""
        records = np.empty(len(rows), self._row)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for owner in np.unique(owners):
            mine = owners == owner
            records[mine] = self._shards[owner][rows[mine] - self._starts[owner]]
        return records


def _open(path: Path, row: np.dtype[Any]) -> Records:
    try:
        shard: Records = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SamplesError(f"{path} is damaged: remove it and run again") from error
    if shard.dtype != row:
        raise SamplesError(f"{path} holds other samples than these")
    return shard


def write_shard(path: Path, records: Records) -> None:
    """Whole or not at all: a shard that is there is done."""
    write_file(path, lambda file: np.save(file, records, allow_pickle=False))


@dataclass(frozen=True)
class Recipe:
    """Everything that the samples of a folder depend on."""

    values: Mapping[str, Any]

    def claim(self, folder: Path) -> None:
        """Writes the recipe into the folder, or raises SamplesError if samples of another one are there."""
        path = folder / RECIPE
        if not any(folder.glob("*.npy")):
            # A recipe without samples is of a run that failed at once.
            write_text(path, json.dumps(dict(self.values), indent=2) + "\n")
            return
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            sentence = f"the samples in {folder} have no {RECIPE}: pass --fresh and --force to make them anew"
            raise SamplesError(sentence) from error
        other = [name for name in self.values if there.get(name) != self.values[name]]
        if other:
            raise SamplesError(
                f"the samples in {folder} were made with another {' and '.join(other)}: "
                "pass --fresh to make them anew, or take another work folder"
            )


def recipe_digest(folder: Path) -> str:
    """SHA-256 of the recipe in a folder, which all its samples follow from."""
    return hashlib.sha256((folder / RECIPE).read_bytes()).hexdigest()


def weights_digest(networks: Mapping[str, Weights]) -> str:
    """SHA-256 over names, shapes and values, for a recipe of samples that the cascade finds."""
    total = hashlib.sha256()
    for name, weights in sorted(networks.items()):
        for tensor, values in sorted(weights.items()):
            total.update(f"{name} {tensor} {values.shape}".encode() + values.tobytes())
    return total.hexdigest()
