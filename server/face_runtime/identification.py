"""What a caller of `face_identification` may say, beside what `mtcnn` lets every caller say; its one home.

Triton hands the parameters of a request to all steps of an ensemble. `mtcnn` is the first, and refuses names that it
does not know, as it must where it is asked itself. So an ensemble that names people asks it for an output that nobody
else asks for, `NAMED`: then the names of `IdentificationParameters` are known too, and checked before any work is done.
"""

import json
import math
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from face_cascade.parameters import InvalidInput, check_range, shown

NAMED, EMBEDDED = "num_named", "num_crops"
"""The same numbers, of faces of each image, under two names: by which it is asked, `mtcnn` knows for whom."""

FARTHEST = 2.0
"""No distance of two embeddings is larger."""

_MOST_CANDIDATES = 100

_LONGEST = 4096
"""Characters of a text: a gallery's database takes so many conditions at once, and not many times more."""

_INTEGERS = 2**63


def is_asked_for(outputs: Collection[str]) -> bool:
    """Whether `mtcnn` is asked by an ensemble that names people. Who names no outputs is given both."""
    return NAMED in outputs and EMBEDDED not in outputs


@dataclass(frozen=True)
class IdentificationParameters:
    """Among whom to look for a face, and how near is near enough.

    threshold: the distance below which a face is a person's; 0: the gallery's own. top: so many candidates a face.
    collections: only their people; names with commas between, or a JSON array of names; empty: of all. where: keys of
    the people's metadata and the values that these must have, as a JSON object; empty: whatever they have.
    """

    threshold: float = 0
    collections: str = ""
    where: str = ""
    top: int = 3

    def __post_init__(self) -> None:
        check_range("threshold", self.threshold, 0, FARTHEST)
        check_range("top", self.top, 1, _MOST_CANDIDATES)
        for name in ("collections", "where"):
            _check_text(name, getattr(self, name))
        _ = self.among, self.having

    @property
    def among(self) -> list[str] | None:
        """The collections by their names, as a gallery keeps them; None for all."""
        if not self.collections:
            return None
        names = _json("collections", self.collections) if self.collections[0] == "[" else self.collections.split(",")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInput(f"collections is {shown(self.collections)}, must be names, or a JSON array of names")
        for name in names:
            _check_text("collections", name)
        return [unicodedata.normalize("NFC", name.strip()) for name in names]

    @property
    def having(self) -> dict[str, str | int | float | bool] | None:
        """The metadata; None for any."""
        if not self.where:
            return None
        wanted = _json("where", self.where)
        if not isinstance(wanted, dict) or not all(map(_is_plain, wanted.values())):
            raise InvalidInput(
                f"where is {shown(self.where)}, must be a JSON object of texts, numbers, true and false by their keys"
            )
        for text in (*wanted, *wanted.values()):
            if isinstance(text, str):
                _check_text("where", text)
        return wanted


def _check_text(name: str, text: str) -> None:
    """Raises InvalidInput for what no database takes: half a letter, or a zero in the midst."""
    if len(text) > _LONGEST:
        raise InvalidInput(f"{name} has {len(text)} characters, must have at most {_LONGEST}")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidInput(f"{name} is {shown(text)}, must be whole letters without a NUL")


def _is_plain(value: object) -> bool:
    """Text, true, false, or a number that a database has too."""
    if isinstance(value, int):
        return -_INTEGERS <= value < _INTEGERS
    return isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is {shown(text)}, which is no JSON: {error}") from None
