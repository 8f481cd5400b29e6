"""Where galleries are kept: a file, or a database."""

from __future__ import annotations

import os
from pathlib import Path

from face_client.extras import how_to_install
from face_gallery.sqlite import SqliteStore
from face_gallery.store import Store

_POSTGRES = ("postgresql://", "postgres://")


def open_store(where: str | os.PathLike[str], *, create: bool = True) -> Store:
    """The gallery at a path, or in the database of an address `postgresql://…`; made where there is none.

    create: False: raises GalleryUnfit where there is none yet.
    Raises GalleryUnfit for what is no gallery or of a newer version, GalleryUnavailable where it cannot be reached,
    ImportError without the extra `postgres` where it is needed.
    """
    if isinstance(where, str) and where.startswith(_POSTGRES):
        # Not at the top: its driver is an extra.
        try:
            from face_gallery.postgres import PostgresStore
        except ModuleNotFoundError as error:
            hint = how_to_install("triton-faces-gallery", "postgres")
            raise ImportError(f"{error.name} is needed for galleries in PostgreSQL: {hint}", name=error.name) from error

        return PostgresStore(where, create=create)
    return SqliteStore(Path(where), create=create)
