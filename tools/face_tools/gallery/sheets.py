"""Contact sheets of galleries: who is enrolled, and whom faces were taken for."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from face_command import outputs
from face_gallery.records import Identified, Person
from face_gallery.store import Store
from face_pictures.marks import SHEET, mark, marked
from face_tools.drawing import SIDE, Section, Tile, contact_sheet, thumbnail

MOST = 500
"""Rows of faces on a sheet: 70,000 pixels of height."""

_NONE_KEPT = np.full((SIDE, SIDE, 3), 225, np.uint8)
"""In the place of a face whose picture was not kept."""


def check_sheet(path: Path, reads: outputs.Reads, force: bool) -> None:
    """Raises OutputRefused where it cannot be written, or is no sheet of ours."""
    outputs.check_file("--sheet", path, reads=reads, is_ours=lambda file: marked(file) == SHEET, force=force)


def write_sheet(path: Path, sections: Sequence[Section]) -> None:
    """For its owner's eyes: it has faces and names. Raises OutputError."""
    save = partial(contact_sheet(sections).save, format="PNG", exif=mark(SHEET))
    outputs.write_whole(path, save, private=True)


def asked_section(title: str, found: Identified, crops: Mapping[int, bytes]) -> Section:
    """A face that was asked about, and beside it the nearest enrolled ones. crops: of enrolled faces, by their ids."""
    assert found.face.crop is not None, "crops were asked for"
    tiles = [Tile(np.asarray(thumbnail(found.face.crop)), "asked")]
    for candidate in found.candidates:
        kept = crops.get(candidate.face)
        tiles.append(Tile(_NONE_KEPT if kept is None else _small(kept), f"{candidate.person} {candidate.distance:.2f}"))
    return Section(title, tiles)


def person_section(store: Store, person: Person) -> Section:
    """All faces of a person, as far as their pictures are kept."""
    tiles = [
        Tile(_small(face.crop), Path(str(face.details.get("image", ""))).name)
        for face in store.faces(person=person.id)
        if face.crop is not None
    ]
    return Section(f"{person.name} ({person.collection}): {person.faces}", tiles)


def _small(crop: bytes) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3]"""
    return np.asarray(thumbnail(np.asarray(Image.open(io.BytesIO(crop)).convert("RGB"))))
