"""What a server's FaceNet was given for weights, as the network itself says it with every answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from face_client.errors import ServerError


@dataclass(frozen=True)
class Weights:
    """name: for people, of the file or package they come from. sha256: of the weights: embeddings are comparable where
    it is the same, whatever precision the network computes in. random: they were never trained, so that its embeddings
    tell nobody apart; of a file of somebody's own nobody knows.
    """

    name: str
    sha256: str
    random: bool

    @classmethod
    def parse(cls, text: bytes | str) -> Weights:
        """Raises ServerError where it is not what our servers say."""
        try:
            told = json.loads(text)
            return cls(str(told["name"]), str(told["sha256"]), bool(told["random"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(
                f"the server says of its weights {text[:60]!r}, which is none of its sentences"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
