# Written by client/unasync.py from face_gallery/_async: change it there.

"""ServedGallery: pictures in, names out, by the gallery of the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from face_client import FaceClient
from face_client._threads import in_thread
from face_client.images import ImageLike
from face_client.options import check_at_least
from face_gallery.quality import Gate
from face_gallery.records import Filter, Identified
from face_gallery.register import DEFAULT_TOP
from face_gallery.serving import identified, search_of, unfit_weights

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client.options import DetectOptions


class ServedGallery:
    """The people whom a server knows that was started with `faces serve --gallery`: it searches, for all of its callers
    together, and this process needs neither the gallery nor the room for it. The client stays open.

    model: the name of the model on the server.
    """

    def __init__(self, client: FaceClient, *, model: str = "face_identification") -> None:
        self.client = client
        self.model = model

    def identify(
        self,
        picture: ImageLike,
        *,
        top: int = DEFAULT_TOP,
        threshold: float | None = None,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
        gate: Gate | None = None,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> list[Identified]:
        """As `Gallery.identify`, with its arguments; a face has no embedding here.

        Raises FaceError: ModelNotLoaded where the server has no gallery, ServerUnavailable while that cannot be
        reached, UnfitWeights where its faces were embedded by another network than the server's.
        """
        if threshold is not None:
            check_at_least("threshold", threshold, 0)
        search = search_of(self.model, top, collections, where, gate is not None, max_side, options)
        asked = in_thread(search.request, picture)
        with unfit_weights():
            response = self.client._ask(asked.request)
        return identified(asked.faces(response), response, threshold, gate)
