"""ipazc's mtcnn on TensorFlow in its own environment. Its threads are its own default: one a core."""

import os

import mtcnn
import tensorflow as tf

from face_bench.peers.protocol import serve

MIN_FACE_SIZE = 20
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def main() -> None:
    detector = mtcnn.MTCNN(device="CPU:0")
    about = {"tensorflow": tf.__version__, "threads": len(os.sched_getaffinity(0))}
    serve(about, lambda pixels: detector.detect_faces(pixels, min_face_size=MIN_FACE_SIZE), to_lists)


def to_lists(found: list[dict]) -> dict[str, list]:
    """It gives boxes as whole x, y, width, height."""
    boxes = [face["box"] for face in found]
    return {
        "boxes": [[float(v) for v in (x, y, x + width, y + height)] for x, y, width, height in boxes],
        "probabilities": [float(face["confidence"]) for face in found],
        "landmarks": [[[float(v) for v in face["keypoints"][name]] for name in LANDMARKS] for face in found],
    }


if __name__ == "__main__":
    main()
