"""Small annotated sets in the real file formats, and slow, obvious references."""

import numpy as np
from PIL import Image

from face_training.annotations.pictures import AnnotatedPicture, boxes, no_landmarks
from tests.pictures import astronaut

FACE = (181, 62, 268, 172)
POINTS = ((205, 102), (247, 104), (225, 129), (202, 139), (245, 142))


def portrait(side=256):
    """The astronaut's face in a part of the portrait, RGB UINT8 [side,side,3], its box and its landmarks."""
    left, top = 150, 30
    pixels = astronaut()[top : top + side, left : left + side]
    shift = np.array([left, top])
    return np.ascontiguousarray(pixels), np.array(FACE) - np.tile(shift, 2), np.array(POINTS) - shift


def write_picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def write_wider_train(root, pictures):
    """pictures: {"event/name.jpg": (pixels, [(x, y, width, height, invalid), …])}."""
    lines = []
    for name, (pixels, faces) in pictures.items():
        if pixels is not None:
            write_picture(root / "WIDER_train" / "images" / name, pixels)
        lines += [name, str(len(faces))]
        lines += [f"{x} {y} {w} {h} 0 0 0 {invalid} 0 0 " for x, y, w, h, invalid in faces] or ["0 " * 10]
    folder = root / "wider_face_split"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wider_face_train_bbx_gt.txt").write_text("\n".join(lines) + "\n")


def write_facial_points(root, pictures):
    """pictures: {"folder\\name.jpg": (pixels, box x1 y1 x2 y2, five points)}."""
    lines = []
    for name, (pixels, (x1, y1, x2, y2), points) in pictures.items():
        write_picture(root / name.replace("\\", "/"), pixels)
        lines.append(f"{name} {x1} {x2} {y1} {y2} " + " ".join(f"{v:.6f}" for v in np.ravel(points)))
    (root / "trainImageList.txt").write_text("\n".join(lines) + "\n")


def annotated(path, pixels, faces=(), landmarks=None, ignored=(), complete=True):
    """The picture written to `path`, as an entry of an index."""
    write_picture(path, pixels)
    points = no_landmarks(len(faces)) if landmarks is None else np.array(landmarks, np.float32)
    height, width = pixels.shape[:2]
    return AnnotatedPicture(path, width, height, boxes(faces), points, boxes(ignored), complete)


def slow_area(region, size):
    """Each value is the mean over rows ⌊i·h/size⌋ … ⌈(i+1)·h/size⌉ and columns alike, rounded; UINT8 [size,size,3]."""
    height, width = region.shape[:2]
    out = np.empty((size, size, 3))
    for i in range(size):
        for j in range(size):
            y0, y1 = i * height // size, -(-(i + 1) * height // size)
            x0, x1 = j * width // size, -(-(j + 1) * width // size)
            out[i, j] = region[y0:y1, x0:x1].reshape(-1, 3).mean(axis=0)
    return np.rint(out).astype(int)


def slow_iou(a, b):
    """Of two boxes, one number at a time."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def slow_kind(box, faces, ignored):
    """0 negative, 1 positive, 2 part, None: no sample; and the number of the face that the box overlaps most."""
    best, nearest = 0.0, 0
    for number, face in enumerate(faces):
        if slow_iou(box, face) > best:
            best, nearest = slow_iou(box, face), number
    if best > 0.65:
        return 1, nearest
    if best >= 0.4:
        return 2, nearest
    area = (box[2] - box[0]) * (box[3] - box[1])
    for other in ignored:
        width = max(0, min(box[2], other[2]) - max(box[0], other[0]))
        height = max(0, min(box[3], other[3]) - max(box[1], other[1]))
        if width * height / area >= 0.3:
            return None, nearest
    return (0 if best < 0.3 else None), nearest
