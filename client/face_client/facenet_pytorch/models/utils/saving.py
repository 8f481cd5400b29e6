"""Where faces are saved."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Union

from face_client.errors import InvalidInput

SavePath = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]], None]
"""A path; for many pictures one for each."""


def paths_for(save_path: SavePath, count: int) -> list[Path | None]:
    """A path, or None, for each of `count` pictures. Raises InvalidInput for another number of paths."""
    if save_path is None:
        return [None] * count
    paths = [save_path] if isinstance(save_path, (str, os.PathLike)) else save_path
    if len(paths) != count:
        raise InvalidInput(f"save_path has {len(paths)} paths for {count} pictures; it must have one for each")
    return [Path(path) for path in paths]


def numbered(path: Path, number: int) -> Path:
    """The path of a picture's face: the first is saved as it is, the others as name_2.png, name_3.png, …"""
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
