"""WIDER FACE: `wider_face_train_bbx_gt.txt` beside the folder `WIDER_train`.

WIDER/wider_face_split/wider_face_train_bbx_gt.txt
WIDER/WIDER_train/images/0--Parade/0_Parade_marchingband_1_849.jpg
"""

from collections.abc import Iterator
from pathlib import Path

from face_pictures.errors import InvalidInput
from face_tools.evaluation.wider_truth import ALL, read_truth
from face_training.annotations.pictures import Listed
from face_training.errors import AnnotationError

LIST = "wider_face_train_bbx_gt.txt"
_FOLDERS = ("wider_face_split", "")


def read(root: Path) -> Iterator[Listed]:
    """Every picture of the training set. Faces marked invalid and faces without a size are not valid.

    Raises:
        AnnotationError: there is no list, or a line of it is not what it should be.
    """
    path = next((root / folder / LIST for folder in _FOLDERS if (root / folder / LIST).is_file()), None)
    if path is None:
        raise AnnotationError(f"there is no {LIST} in {root} nor in its wider_face_split: unpack wider_face_split.zip")
    try:
        truth = read_truth(path)
    except (InvalidInput, UnicodeDecodeError) as error:
        raise AnnotationError(str(error)) from error
    folder = root / "WIDER_train" / "images"
    for name, picture in truth.pictures.items():
        yield Listed(folder, name, picture.boxes, picture.counted[ALL], None, complete=True)
