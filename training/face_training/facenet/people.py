"""A folder of people: one folder a person, pictures in it (torchvision's `ImageFolder` layout)."""

from dataclasses import dataclass
from pathlib import Path

from face_training.errors import AnnotationError

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class PersonPicture:
    """A picture of a person, who is a number in the sorted list of names; `place`: which of the person's own it is."""

    path: Path
    person: int
    place: int


def read_people(root: Path) -> tuple[list[str], list[PersonPicture]]:
    """Names, sorted, and all pictures, sorted by person and file.

    Raises:
        AnnotationError: there are fewer than two people with a picture.
    """
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
    found = [(folder.name, _pictures(folder)) for folder in folders]
    people = [(name, pictures) for name, pictures in found if pictures]
    if len(people) < 2:
        raise AnnotationError(f"{root} has {len(people)} folders with pictures: one a person is wanted, two at least")
    pictures = [
        PersonPicture(path, person, place)
        for person, (_, paths) in enumerate(people)
        for place, path in enumerate(paths)
    ]
    return [name for name, _ in people], pictures


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)
