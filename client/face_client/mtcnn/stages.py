"""The stages of the cascade by their names in ipazc's mtcnn. They run in the server; here they are labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from face_client.drop_in import InvalidValue


class Stage:
    """A stage. name, id: its labels. model: None, the network is in the server."""

    name = ""
    id = 0
    model = None


class StagePNet(Stage):
    """Proposals."""

    name = "Stage PNET"
    id = 1


class StageRNet(Stage):
    """Refinement."""

    name = "Stage RNET"
    id = 2


class StageONet(Stage):
    """The last stage, which also gives the landmarks."""

    name = "Stage ONET"
    id = 3


StagesLike = Union[str, Sequence[Union[Stage, type[Stage]]]]

COMMON_STAGES = {
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
    parsed = [stage() if isinstance(stage, type) else stage for stage in stages]
    if [type(stage) for stage in parsed] not in COMMON_STAGES.values():
        raise InvalidValue("stages must be StagePNet, StageRNet and, for landmarks, StageONet, in this order")
    return parsed
