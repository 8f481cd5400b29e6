"""AsyncGallery: pictures in, names out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from face_client import AsyncFaceClient
from face_client._tasks import Items, in_thread
from face_client.errors import InvalidInput, NoFace
from face_client.faces import Faces
from face_client.images import ImageLike
from face_client.messages import CROP_SIZE
from face_client.options import DEFAULT_IN_FLIGHT, of_one_face
from face_gallery.enrolling import Enrolled, Enrolling
from face_gallery.opening import open_store
from face_gallery.quality import DEFAULT_GATE, Gate
from face_gallery.records import (
    DEFAULT_COLLECTION,
    Filter,
    Identified,
    Metadata,
    Person,
    Verification,
)
from face_gallery.register import DEFAULT_TOP, Register
from face_gallery.store import Store

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from face_client.options import DetectOptions
    from face_gallery.parquet import Imported


class AsyncGallery:
    """The people of a gallery, by pictures. Close it, or use `async with`; the client stays open.

    client: finds and recognises the faces.
    where: the path of a file, an address `postgresql://…`, or a store that is open and stays so. It is opened here, at
        once: who must not wait for a database gives a store that is open.
    search, random_weights: see `Register`.
    gate: what a face must be like to be enrolled; None: whatever it is like.
    keep_crops: keep the picture of each face, 160x160 pixels, with it: for people to look at, and for another network
        to embed it again.

    Any number of threads or tasks may use it. Raises GalleryError, see `face_gallery.errors`.
    """

    def __init__(
        self,
        client: AsyncFaceClient,
        where: str | os.PathLike[str] | Store,
        *,
        search: str = "auto",
        random_weights: bool = False,
        gate: Gate | None = DEFAULT_GATE,
        keep_crops: bool = True,
    ) -> None:
        self.client = client
        self._is_own = not isinstance(where, Store)
        self.store = where if isinstance(where, Store) else open_store(where)
        self.register = Register(self.store, search=search, random_weights=random_weights)
        self._enrolling = Enrolling(self.register, gate, keep_crops)

    async def add(
        self,
        person: str,
        pictures: Items[ImageLike],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Metadata | None = None,
        force: bool = False,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Enrolled:
        """Enrol the faces of one person, or more faces of somebody who is there. All of them are written at once.

        pictures: each shows one face, of this person. metadata: a JSON object, whose keys
            are put to what is known of the person, in the place of equal ones; what else was there stays.
        force: enrol also what the gate refuses, of several faces the largest, and who looks like somebody else.
        options: as for `FaceClient.recognize`.
        A picture that is refused or cannot be read is told in the answer; where nothing is left, its error is raised:
        NoFace, FaceRefused, InvalidImage, …
        """
        enrolment = self._enrolling.start(person, collection, metadata, force)
        answers = self.client.recognize_each(pictures, crops=True, in_flight=in_flight, **_of_facenet(options))
        async for answer in answers:
            await in_thread(enrolment.take, answer)
        return await in_thread(enrolment.finish)

    async def identify(
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
        """Who is in a picture: one answer a face, in the order of `FaceClient.recognize`; none where there is no face.

        top: so many candidates a face. threshold: the Euclidean distance below which a face is a person's; None: that
        of the gallery's calibration, or the literature's. collections: None: all. where: keys and values that the
        metadata must have. gate: what a face must be like to be told who it is, see `Identified.refusals`; None:
        whatever it is like. max_side, options: as for `FaceClient.recognize`.
        Raises UnfitWeights where the gallery's faces were embedded by another network than the server's.
        """
        faces = await self.client.recognize(picture, crops=gate is not None, max_side=max_side, **options)
        return await self.identify_faces(
            faces, top=top, threshold=threshold, collections=collections, where=where, gate=gate
        )

    async def identify_faces(
        self,
        faces: Faces,
        *,
        top: int = DEFAULT_TOP,
        threshold: float | None = None,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
        gate: Gate | None = None,
    ) -> list[Identified]:
        """`identify` for faces that are recognised already."""
        return await in_thread(
            lambda: self.register.identify(
                faces, top=top, threshold=threshold, collections=collections, where=where, gate=gate
            )
        )

    async def verify(
        self,
        person: str,
        picture: ImageLike,
        *,
        collection: str = DEFAULT_COLLECTION,
        threshold: float | None = None,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Verification:
        """Whether the largest face of a picture is a person's. Raises UnknownPerson, NoFace, UnfitWeights."""
        faces = await self.client.recognize(picture, max_side=max_side, **of_one_face(options))
        if not faces:
            raise NoFace("no face was found in the picture")
        embedding, weights = faces[0].embedding, self.register.check(faces.weights)
        return await in_thread(self.register.verify, embedding, weights, person, collection, threshold)

    async def remove(self, person: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Erase a person with all their faces; how many these were. Raises UnknownPerson."""
        return await in_thread(self.register.remove, person, collection)

    async def people(self, *, collections: Sequence[str] | None = None, where: Filter | None = None) -> list[Person]:
        """Who is enrolled, by collection and name."""
        return await in_thread(lambda: list(self.store.people(collections, where)))

    async def export(self, path: str | os.PathLike[str]) -> int:
        """Write everybody to a Parquet file, see `face_gallery.parquet`; how many rows."""
        from face_gallery import parquet

        return await in_thread(parquet.export, self.store, path)

    async def import_(self, path: str | os.PathLike[str]) -> Imported:
        """Add everybody of such a file, all or none."""
        from face_gallery import parquet

        return await in_thread(parquet.import_, self.store, path)

    async def close(self) -> None:
        """Close the store, unless it was given."""
        if self._is_own:
            await in_thread(self.store.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _of_facenet(options: DetectOptions) -> DetectOptions:
    """With crops as FaceNet sees them. Raises InvalidInput for another size."""
    if options.get("image_size", CROP_SIZE) != CROP_SIZE:
        raise InvalidInput(f"image_size is {options['image_size']}; a gallery keeps the {CROP_SIZE} of FaceNet")
    return {**options, "image_size": CROP_SIZE}
