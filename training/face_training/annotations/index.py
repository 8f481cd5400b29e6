"""The index of a work folder: `pictures.jsonl`, one annotated picture a line, and `report.json` beside it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from face_training.annotations.pictures import AnnotatedPicture, Report
from face_training.errors import AnnotationError
from face_training.workplace import write_text

INDEX = "pictures.jsonl"
REPORT = "report.json"


def write_index(work: Path, pictures: Iterable[AnnotatedPicture], reports: Sequence[Report]) -> None:
    """Writes both files, whole or not at all."""
    lines = [json.dumps(picture.as_json()) for picture in pictures]
    write_text(work / INDEX, "".join(f"{line}\n" for line in lines))
    # After the pictures: a generator has counted by now.
    write_text(work / REPORT, json.dumps([report.as_json() for report in reports], indent=2) + "\n")


def read_index(work: Path) -> list[AnnotatedPicture]:
    """The pictures, in the order in which they were written.

    Raises:
        AnnotationError: `faces train prepare` has not been here.
    """
    path = work / INDEX
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [AnnotatedPicture.from_json(json.loads(line)) for line in lines]
    except FileNotFoundError as error:
        raise AnnotationError(f"there is no {path}: run `faces train prepare {work}` first") from error
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{path} is damaged: run `faces train prepare {work}` again") from error
