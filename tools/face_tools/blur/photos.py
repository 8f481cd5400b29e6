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
from face_pictures.decoding import MAX_PIXELS, MAX_PIXELS_TO_SHRINK, frames_in
from face_pictures.marks import COVERED, mark
from face_tools import batch
from face_tools.blur.covering import Style, blur_faces
from face_tools.blur.files import Plan
from face_tools.blur.seeing import pixels_of, to_look_at
from face_tools.blur.selecting import Selection, Votes, known
from face_tools.connection import EXIT_OK, EXIT_SOME_FAILED
from face_tools.pictures import Picture, content

COLUMNS = (console.Column("file"), console.Column("written to"), console.Column("covered", 8))

NO_FACE = "no face"
"""Was found: not that all faces were left as they are."""

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
        show=photos.show,
        finish=photos.finish,
    )


def save(pixels: NDArray[np.uint8], path: Path, marked: bool = True) -> None:
    """Write the pixels [H, W, 3] in the format that the suffix says, with the mark of `faces blur` and no other
    metadata. Raises OutputError, also for a picture that the format has no place for."""
    kind = Image.registered_extensions()[path.suffix.lower()]
    options: dict[str, Any] = {"compression": "tiff_lzw"} if kind == "TIFF" else {"quality": _QUALITY}
    if marked:
        options["exif"] = mark(COVERED)
    try:
        outputs.write_whole(path, partial(Image.fromarray(pixels).save, format=kind, **options))
    except ValueError as error:
        height, width = pixels.shape[:2]
        raise outputs.OutputError(f"{path} cannot be written: {kind}, {width}×{height} pixels: {error}") from error


class _Photos:
    """Covers and writes them one by one, and says what was covered. _asked: the bytes that the server was asked about,
    of the pictures whose answers are to come: what the file has become meanwhile is another picture."""

    def __init__(self, plan: Plan, args: argparse.Namespace, style: Style, selection: Selection) -> None:
        self._plan = plan
        self._args = args
        self._style = style
        self._selection = selection
        self._asked: dict[Picture, bytes] = {}
        self._has_failures = False

    def read(self, picture: Picture) -> Path | bytes | NDArray[np.uint8]:
        """What the server is to look at: the file, or what a person sees where the file has more under transparency."""
        # What cannot be read, the client meets too, and says it in its place.
        try:
            data = self._asked[picture] = _bytes(picture)
        except OSError:
            return content(picture)
        return to_look_at(data, self._max_pixels)

    def show(self, answers: batch.Answers) -> None:
        """Writes the pictures, with a row or a line of JSON for each."""
        if self._args.json:
            for picture, answer in answers:
                console.line(json.dumps(self._line(picture, answer)))
        else:
            rows = (row for picture, answer in answers if (row := self._row(picture, answer)) is not None)
            console.print_as_they_come(COLUMNS, rows)

    def finish(self) -> int:
        """Whether one was not written: a failure that came with the answer is counted by who asked."""
        return EXIT_SOME_FAILED if self._has_failures else EXIT_OK

    @property
    def _max_pixels(self) -> int:
        # As large as those may be that the client shrinks before it asks.
        return MAX_PIXELS_TO_SHRINK if self._args.max_side else MAX_PIXELS

    def _written(self, picture: Picture, answer: BatchAnswer) -> list[dict[str, Any]] | batch.Problem:
        """The faces of the picture, which is written; or why it is not, which is said."""
        data = self._asked.pop(picture, None)
        if not isinstance(answer, Faces):
            return answer
        try:
            if data is None:
                raise InvalidImage("the file could not be read, and then it could")
            return self._cover(picture, data, answer)
        except self._selection.fatal:
            raise
        except (FaceError, OSError, outputs.OutputError) as error:
            self._has_failures = True
            console.message(batch.line_of(picture, error))
            return error

    def _cover(self, picture: Picture, data: bytes, faces: Faces) -> list[dict[str, Any]]:
        """Raises FaceError, OSError, OutputError."""
        pixels = pixels_of(data, faces, self._max_pixels)
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

    def _row(self, picture: Picture, answer: BatchAnswer) -> tuple[str, str, str] | None:
        faces = self._written(picture, answer)
        if not isinstance(faces, list):
            return None
        count = counted(sum(face["covered"] for face in faces), len(faces))
        return str(picture.path), str(self._plan.targets[picture]), count

    def _line(self, picture: Picture, answer: BatchAnswer) -> dict[str, Any]:
        document: dict[str, Any] = {"image": str(picture.path)}
        faces = self._written(picture, answer)
        if not isinstance(faces, list):
            return {**document, "error": batch.error_document(faces)}
        assert isinstance(answer, Faces)
        return {
            **document,
            "written": str(self._plan.targets[picture]),
            "width": answer.width,
            "height": answer.height,
            **self._style._asdict(),
            "faces": faces,
        }


def counted(covered: int, seen: int) -> str:
    """How many were covered, of how many if some were not."""
    if not seen:
        return NO_FACE
    return str(seen) if covered == seen else f"{covered} of {seen}"


def _bytes(picture: Picture) -> bytes:
    data = content(picture)
    return data if isinstance(data, bytes) else data.read_bytes()
