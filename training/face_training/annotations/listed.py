"""What a reader gives: one entry a picture as its list has it, before anybody looked at the picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Listed:
    """A picture as listed: boxes FLOAT64 [G,4] x1,y1,x2,y2; valid BOOL [G]; landmarks FLOAT64 [G,5,2], or None.

    folder, name: where it should be. complete: the list has every face of the picture.
    """

    folder: Path
    name: str
    boxes: NDArray[np.float64]
    valid: NDArray[np.bool_]
    landmarks: NDArray[np.float64] | None
    complete: bool


def lines_of(path: Path) -> list[str]:
    """The lines of a list. Bytes that are no UTF-8 stay as they are: a file may be called anything."""
    return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
