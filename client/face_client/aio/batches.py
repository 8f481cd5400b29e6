"""Many images asked about together, answers in order; see `face_client.batches`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import Callable

from face_client.aio.ordered import Items, map_in_order
from face_client.batches import BatchAnswer, OnError, check_in_flight
from face_client.errors import FaceError
from face_client.faces import Faces
from face_client.messages import ImageLike


def answers_in_order(
    find: Callable[[ImageLike], Awaitable[Faces]], images: Items[ImageLike], in_flight: int, on_error: OnError
) -> AsyncIterator[BatchAnswer]:
    """await find(image) of each image, `in_flight` at a time; what fails raises in its turn, or is given out as it
    is."""
    check_in_flight(in_flight)
    if on_error == "raise":
        return map_in_order(find, images, in_flight)
    return map_in_order(partial(_answer_or_error, find), images, in_flight)


async def _answer_or_error(find: Callable[[ImageLike], Awaitable[Faces]], image: ImageLike) -> BatchAnswer:
    try:
        return await find(image)
    except (FaceError, OSError) as error:
        return error
