"""What can go wrong with a gallery, as branches of the client's tree (`face_client.errors`).

    FaceError
      InvalidInput
        UnknownPerson         nobody of that name is enrolled
        FaceRefused           a face that is not good enough to be enrolled, or looks like somebody else
      GalleryError            the gallery itself
        GalleryUnfit          it cannot be used as it is: of a newer version, of something else, write-protected
        GalleryUnavailable    it cannot be reached or written now: busy, its database is away, its disk full; nothing
                              was half written, and the same call may be tried again

UnfitWeights is raised where the faces of a gallery were embedded by another network than the one that is asked.
"""

from __future__ import annotations

from face_client.errors import FaceError, InvalidInput

EMBEDDED_BY = "the faces of this gallery are embedded by"
"""How the sentence of UnfitWeights begins: by it callers of a server know it."""


class UnknownPerson(InvalidInput):
    """Nobody of that name is enrolled in that collection."""


class FaceRefused(InvalidInput):
    """A face that is not enrolled, for the reasons that its sentence gives."""


class GalleryError(FaceError):
    """The gallery cannot do what was asked, whoever is asked."""


class GalleryUnfit(GalleryError):
    """Asking again cannot help: another version, no gallery at all, no right to write."""


class GalleryUnavailable(GalleryError):
    """It may help to ask again. Of what was asked nothing has happened, unless its sentence says so."""
