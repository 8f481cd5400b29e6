"""Many images asked about together, answers in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Callable, Literal, Union

from face_client.errors import FaceError, InvalidInput
from face_client.faces import Faces
from face_client.messages import ImageLike
from face_client.ordered import map_in_order

BatchAnswer = Union[Faces, FaceError, OSError]

OnError = Literal["raise", "return"]


def answers_in_order(
    find: Callable[[ImageLike], Faces], images: Iterable[ImageLike], in_flight: int, on_error: OnError
) -> Iterator[BatchAnswer]:
    """find(image) of each image, `in_flight` at a time; what fails raises in its turn, or is given out as it is."""
    check_in_flight(in_flight)
    if on_error == "raise":
        return map_in_order(find, images, in_flight)
    return map_in_order(partial(_answer_or_error, find), images, in_flight)


def check_in_flight(in_flight: int) -> None:
    """Raises InvalidInput for a number of open requests below 1."""
    if in_flight < 1:
        raise InvalidInput(f"in_flight is {in_flight}; it must be at least 1")


def _answer_or_error(find: Callable[[ImageLike], Faces], image: ImageLike) -> BatchAnswer:
    try:
        return find(image)
    except (FaceError, OSError) as error:
        return error
