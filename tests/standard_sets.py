"""Small sets in the file formats of WIDER FACE and Labeled Faces in the Wild."""

import numpy as np
from PIL import Image
from scipy.io import savemat


def cells(items):
    """A MATLAB cell array {n, 1}."""
    array = np.empty((len(items), 1), object)
    for i, item in enumerate(items):
        array[i, 0] = item
    return array


def write_wider_mat(folder, events, subsets):
    """The four files of the evaluation tools.

    events: {event: {file: boxes [G,4] as x, y, width, height}}.
    subsets: {subset: {file: numbers of its faces, from 1}}; a file that is not named has none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lists = {
        "event_list": cells(list(events)),
        "file_list": cells([cells(list(files)) for files in events.values()]),
        "face_bbx_list": cells([cells([_boxes(boxes) for boxes in files.values()]) for files in events.values()]),
    }
    savemat(folder / "wider_face_val.mat", lists)
    for subset, numbers in subsets.items():
        chosen = [cells([_numbers(numbers.get(file, [])) for file in files]) for files in events.values()]
        savemat(folder / f"wider_{subset}_val.mat", {**lists, "gt_list": cells(chosen)})


def write_wider_text(path, events, invalid=()):
    """The plain text. invalid: (file, number from 0) of faces that are marked so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for event, files in events.items():
        for file, boxes in files.items():
            lines += [f"{event}/{file}.jpg", str(len(boxes))]
            for i, box in enumerate(boxes):
                lines.append(" ".join(map(str, [*box, 0, 0, 0, int((file, i) in invalid), 0, 0])) + " ")
            if not len(boxes):
                lines.append("0 0 0 0 0 0 0 0 0 0 ")
    path.write_text("\n".join(lines) + "\n")


def write_wider_pictures(folder, pictures):
    """pictures: {"event/file.jpg": RGB array}."""
    for name, picture in pictures.items():
        path = folder / "WIDER_val" / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, quality=95)


def write_pairs(path, folds):
    """folds: for each fold its pairs (name, n1, n2) and then as many (name1, n1, name2, n2)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{len(folds)}\t{len(folds[0]) // 2}"]
    lines += ["\t".join(map(str, pair)) for fold in folds for pair in fold]
    path.write_text("\n".join(lines) + "\n")


def write_people(folder, people):
    """people: {name: RGB arrays}, numbered from 1."""
    for name, pictures in people.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, start=1):
            Image.fromarray(picture).save(folder / name / f"{name}_{number:04d}.jpg", quality=95)


def _boxes(boxes):
    # Real boxes are whole numbers in doubles.
    return np.array(boxes, np.float64).reshape(-1, 4)


def _numbers(numbers):
    # An empty cell is 0 x 0.
    return np.array(numbers, np.uint8).reshape(-1, 1) if len(numbers) else np.zeros((0, 0))
