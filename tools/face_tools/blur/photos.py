"""Pictures with their faces covered, and nothing else in the file: it is made anew, of pixels alone."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import FaceError, InvalidImage
from face_client.faces import BatchAnswer, Faces
from face_command import console, outputs
from face_pictures.decoding import MAX_PIXELS, MAX_PIXELS_TO_SHRINK, decode_as_shown, frames_in, is_transparent
from face_pictures.marks import COVERED, mark
from face_tools import batch
from face_tools.blur.covering import Style, blur_faces
from face_tools.blur.files import Plan
from face_tools.blur.selecting import Selection, Votes, known
from face_tools.pictures import Picture, content

COLUMNS = (console.Column("file"), console.Column("written to"), console.Column("covered", 8))

_QUALITY = 95


def blur_photos(plan: Plan, args: argparse.Namespace, style: Style, selection: Selection) -> int:
    """Cover and write; returns the exit status."""
    photos = _Photos(plan, args, style, selection)
    return batch.run(
        "blur",
        args,
        recognize=selection.needs_embeddings,
        crops=selection.needs_embeddings,
        found=plan.pictures,
        read=photos.read,
        take=photos.take,
        show=photos.show,
    )


def save(pixels: NDArray[np.uint8], path: Path, marked: bool = True) -> None:
    """Write the pixels [H, W, 3] in the format that the suffix says, with the mark of `faces blur` and no other
    metadata. Raises OutputError."""
    kind = Image.registered_extensions()[path.suffix.lower()]
    options: dict[str, Any] = {"compression": "tiff_lzw"} if kind == "TIFF" else {"quality": _QUALITY}
    if marked:
        options["exif"] = mark(COVERED)
    outputs.write_whole(path, partial(Image.fromarray(pixels).save, format=kind, **options))


class _Photos:
    """Covers and writes them one by one, and says what was covered. _written: the faces of each, until that is said."""

    def __init__(self, plan: Plan, args: argparse.Namespace, style: Style, selection: Selection) -> None:
        self._plan = plan
        self._args = args
        self._style = style
        self._selection = selection
        self._written: dict[Picture, list[dict[str, Any]]] = {}
        self._failed: dict[Picture, batch.Problem] = {}

    def read(self, picture: Picture) -> Path | bytes | NDArray[np.uint8]:
        """What the server is to look at: the file, or what a person sees where the file has more under transparency."""
        try:
            data = _bytes(picture)
            return self._pixels(data) if is_transparent(data) else content(picture)
        except (InvalidImage, OSError):
            # The client meets it too, and says it in its place.
            return content(picture)

    def take(self, picture: Picture, faces: Faces) -> None:
        """Write the picture. Raises FaceError, OSError, OutputError."""
        try:
            self._written[picture] = self._cover(picture, faces)
        except (FaceError, OSError, outputs.OutputError) as error:
            self._failed[picture] = error
            raise

    def show(self, answers: batch.Answers) -> None:
        """A row or a line of JSON for each picture."""
        if self._args.json:
            for picture, answer in answers:
                console.line(json.dumps(self._line(picture, answer)))
        else:
            rows = (self._row(picture) for picture, _ in answers if picture in self._written)
            console.print_as_they_come(COLUMNS, rows)

    def _pixels(self, data: bytes) -> NDArray[np.uint8]:
        # As large as those may be that the client shrinks before it asks.
        return decode_as_shown(data, MAX_PIXELS_TO_SHRINK if self._args.max_side else MAX_PIXELS)

    def _cover(self, picture: Picture, faces: Faces) -> list[dict[str, Any]]:
        data = _bytes(picture)
        pixels = self._pixels(data)
        if pixels.shape[:2] != (faces.height, faces.width):
            raise InvalidImage("the file has changed since its faces were looked for")
        persons = self._selection.persons(faces)
        votes: list[Votes] = [{person: 1} for person in persons]
        covers = [self._selection.covers(vote, vote) for vote in votes]
        covered = blur_faces(pixels, faces.boxes[np.array(covers, bool)], **self._style._asdict())
        save(covered, self._plan.targets[picture], marked=not self._args.no_mark)
        frames = frames_in(data)
        if frames > 1:
            console.message(f"{picture.path}: the first of {frames} frames or pages was written, and no other")
        return [
            {"box": face.to_dict()["box"], "probability": face.probability, **known(person), "covered": is_covered}
            for face, person, is_covered in zip(faces, persons, covers)
        ]

    def _row(self, picture: Picture) -> tuple[str, str, str]:
        count = sum(face["covered"] for face in self._written.pop(picture))
        return str(picture.path), str(self._plan.targets[picture]), str(count) if count else "no face"

    def _line(self, picture: Picture, answer: BatchAnswer) -> dict[str, Any]:
        document: dict[str, Any] = {"image": str(picture.path)}
        if not isinstance(answer, Faces):
            return {**document, "error": batch.error_document(answer)}
        if picture in self._failed:
            return {**document, "error": batch.error_document(self._failed.pop(picture))}
        return {
            **document,
            "written": str(self._plan.targets[picture]),
            "width": answer.width,
            "height": answer.height,
            **self._style._asdict(),
            "faces": self._written.pop(picture),
        }


def _bytes(picture: Picture) -> bytes:
    data = content(picture)
    return data if isinstance(data, bytes) else data.read_bytes()
