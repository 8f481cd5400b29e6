"""Pictures to the rows of facenet-pytorch's detector: the server finds the faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_client import FaceClient
from face_client.drop_in import NotHere, as_pixels, warn_if_capped, warn_of_fractions
from face_client.errors import InvalidInput
from face_client.facenet_pytorch.models.utils import selection
from face_client.facenet_pytorch.models.utils.pictures import Pictures, listed
from face_client.facenet_pytorch.models.utils.served import Network

# Whom a warning points at, counted from the function that warns: find, its caller, and whoever called that.
_CALLER = 4


def find(client: FaceClient, img: Pictures, min_face_size: Any, thresholds: Any, factor: Any) -> list[selection.Rows]:
    """The faces of each picture. Numbers may be tensors of one. Raises FaceError."""
    pnet, rnet, onet = three(thresholds)
    options: dict[str, Any] = {
        "min_face_size": min_face_size,
        "threshold_pnet": pnet,
        "threshold_rnet": rnet,
        "threshold_onet": onet,
        "factor": factor,
    }
    pictures = []
    for picture in listed(img):
        warn_of_fractions(picture, stacklevel=_CALLER)
        pictures.append(as_pixels(picture))
    rows = []
    for faces in client.detect_batch(pictures, **options):
        warn_if_capped(faces, stacklevel=_CALLER)
        rows.append(selection.likeliest_first(faces))
    return rows


def three(thresholds: Any) -> list[Any]:
    """Those of the stages. Raises InvalidInput for what does not hold three."""
    try:
        numbers = list(thresholds)
    except TypeError:
        numbers = []
    if len(numbers) != len(("pnet", "rnet", "onet")):
        raise InvalidInput(f"thresholds is {thresholds!r}; it must hold three numbers, one a stage")
    return numbers


def detect_face(
    imgs: Pictures,
    minsize: float,
    pnet: Network,
    rnet: Network,
    onet: Network,
    threshold: Sequence[float],
    factor: float,
    device: object = None,  # noqa: ARG001 the server has its own
) -> tuple[selection.Objects, selection.Objects]:
    """Boxes with probabilities [n, 5] and landmarks [n, 5, 2], the likeliest first, for each of the pictures.

    pnet, rnet, onet: those of a drop-in `MTCNN`; they say which server is asked. Others raise NotHere.
    """
    for name, network in (("pnet", pnet), ("rnet", rnet), ("onet", onet)):
        if not isinstance(network, Network):
            raise NotHere(
                f"{name} is of type {type(network).__name__}; it must be that of a drop-in MTCNN, for the networks run "
                "in the server: give it your own weights with `faces export`"
            )
    rows = find(pnet.connection.client, imgs, minsize, threshold, factor)
    return selection.as_objects([some.scored for some in rows]), selection.as_objects([some.points for some in rows])
