"""The stages of the cascade by their names in ipazc's mtcnn. They run in the server; here they are labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from face_client.drop_in import InvalidValue, NotHere


class Stage:
    """A stage. name, id: its labels. model: None, the network is in the server.

    weights: NotHere for a file: the server has them.
    """

    _LABELS = ("", 0)

    model = None

    def __init__(self, stage_name: str | None = None, stage_id: int | None = None, weights: str | None = None) -> None:
        if weights not in (None, *_PUBLISHED):
            raise NotHere(
                f"weights is {weights!r}; the networks are in the server, which takes yours by `faces export`"
            )
        name, number = self._LABELS
        self.name = name if stage_name is None else stage_name
        self.id = number if stage_id is None else stage_id

    def __call__(self, *inputs: object, **parameters: object) -> object:  # noqa: ARG002
        """Raises NotHere."""
        raise NotHere(f"{self.name} runs in the server; detect_faces gives the faces of all stages")


# What ipazc's stages take where nothing is said.
_PUBLISHED = ("pnet.lz4", "rnet.lz4", "onet.lz4")


class StagePNet(Stage):
    """Proposals."""

    _LABELS = ("Stage PNET", 1)


class StageRNet(Stage):
    """Refinement."""

    _LABELS = ("Stage RNET", 2)


class StageONet(Stage):
    """The last stage, which also gives the landmarks."""

    _LABELS = ("Stage ONET", 3)


StagesLike = Union[str, Sequence[Union[Stage, type[Stage]]]]

_ORDER: tuple[type[Stage], ...] = (StagePNet, StageRNet, StageONet)

COMMON_STAGES: dict[str, list[type[Stage]]] = {
    "face_detection_only": [StagePNet, StageRNet],
    "face_and_landmarks_detection": [StagePNet, StageRNet, StageONet],
}


def parse_stages(stages: StagesLike) -> list[Stage]:
    """The stages of a name or of a list of classes or objects.

    Raises InvalidValue for what is not the cascade, whole or without its last stage.
    """
    if isinstance(stages, str):
        if stages not in COMMON_STAGES:
            raise InvalidValue(f"stages is {stages!r}; it must be one of {', '.join(COMMON_STAGES)}")
        stages = COMMON_STAGES[stages]
    elif not isinstance(stages, Iterable):
        raise InvalidValue(f"stages is {stages!r}; it must be {' or '.join(COMMON_STAGES)}, or a list of stages")
    parsed = [stage() if isinstance(stage, type) else stage for stage in stages]
    kinds = [next((kind for kind in _ORDER if isinstance(stage, kind)), None) for stage in parsed]
    if kinds not in COMMON_STAGES.values():
        named = ", ".join(type(stage).__name__ for stage in parsed) or "empty"
        raise InvalidValue(
            f"stages is {named}; it must be StagePNet, StageRNet and, for landmarks, StageONet, in this order, "
            "from face_client.mtcnn.stages: the server runs the whole cascade"
        )
    return parsed
