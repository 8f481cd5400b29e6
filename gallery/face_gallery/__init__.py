"""People by their faces: enrol, identify, verify, forget.

from face_client import FaceClient
from face_gallery import Gallery

with FaceClient() as client, Gallery(client, "people.gallery") as gallery:
    gallery.add("Ada", ["ada.jpg"])
    for found in gallery.identify("party.jpg"):
        print(found.person, found.distance, found.margin)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face_gallery._async.gallery import AsyncGallery as AsyncGallery
    from face_gallery._async.served import AsyncServedGallery as AsyncServedGallery
    from face_gallery._sync.gallery import Gallery as Gallery
    from face_gallery._sync.served import ServedGallery as ServedGallery
    from face_gallery.enrolling import Enrolled as Enrolled
    from face_gallery.errors import FaceRefused as FaceRefused
    from face_gallery.errors import GalleryError as GalleryError
    from face_gallery.errors import GalleryUnavailable as GalleryUnavailable
    from face_gallery.errors import GalleryUnfit as GalleryUnfit
    from face_gallery.errors import UnknownPerson as UnknownPerson
    from face_gallery.opening import open_store as open_store
    from face_gallery.quality import Gate as Gate
    from face_gallery.quality import Quality as Quality
    from face_gallery.records import Candidate as Candidate
    from face_gallery.records import Identified as Identified
    from face_gallery.records import Person as Person
    from face_gallery.records import Threshold as Threshold
    from face_gallery.records import Verification as Verification
    from face_gallery.register import Register as Register

_HOMES = {
    "face_gallery._async.gallery": ("AsyncGallery",),
    "face_gallery._async.served": ("AsyncServedGallery",),
    "face_gallery._sync.gallery": ("Gallery",),
    "face_gallery._sync.served": ("ServedGallery",),
    "face_gallery.enrolling": ("Enrolled",),
    "face_gallery.errors": ("FaceRefused", "GalleryError", "GalleryUnavailable", "GalleryUnfit", "UnknownPerson"),
    "face_gallery.opening": ("open_store",),
    "face_gallery.quality": ("Gate", "Quality"),
    "face_gallery.records": ("Candidate", "Identified", "Person", "Threshold", "Verification"),
    "face_gallery.register": ("Register",),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


# As in `face_client`: what is imported is what is used.
def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
