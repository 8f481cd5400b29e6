"""A peer at work in a virtual environment and a process of its own: `python -m face_bench.peer_worker NAME`.

Other people's detectors, with threads as is their own default: one a core. Needs the standard library, NumPy and the
peer itself. The worker opens with one JSON line about itself. A request is a JSON line {"shape": [H, W, 3]} and the
pixels, uint8, row by row. The answer is a JSON line with the seconds that detection took and what it found. The end of
its input ends the worker.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FACENET_PYTORCH = "facenet-pytorch"
IPAZC_MTCNN = "ipazc mtcnn"

MIN_FACE_SIZE = 20

Detect = Callable[[NDArray[np.uint8]], Any]
ToLists = Callable[[Any], dict[str, list]]


def serve(about: dict[str, Any], detect: Detect, to_lists: ToLists) -> None:
    """The worker's whole life. Only `detect` is on the clock.

    Args:
        about: versions and threads, for the report.
        detect: the peer's own call on an RGB array.
        to_lists: from what it returned to plain lists `boxes` (x1,y1,x2,y2), `probabilities` and `landmarks`.
    """
    answers = _claim_stdout()
    answers.write(json.dumps(about) + "\n")
    while header := sys.stdin.buffer.readline():
        shape = json.loads(header)["shape"]
        pixels = np.frombuffer(sys.stdin.buffer.read(int(np.prod(shape))), np.uint8).reshape(shape)
        # A copy: the buffer is read-only, and some libraries write to or warn about such arrays.
        pixels = pixels.copy()
        started = time.perf_counter()
        found = detect(pixels)
        seconds = time.perf_counter() - started
        answers.write(json.dumps({"seconds": seconds, **to_lists(found)}) + "\n")


def _claim_stdout() -> Any:
    """The pipe to the benchmark; whatever else the process prints goes to stderr from now on."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe


def _serve_facenet_pytorch() -> None:
    import facenet_pytorch
    import torch

    detector = facenet_pytorch.MTCNN(keep_all=True, min_face_size=MIN_FACE_SIZE, device="cpu")

    def to_lists(found: tuple[Any, Any, Any]) -> dict[str, list]:
        """Without a face it returns None for the boxes."""
        names = ("boxes", "probabilities", "landmarks")
        return {name: [] if found[0] is None else array.tolist() for name, array in zip(names, found, strict=True)}

    about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    serve(about, lambda pixels: detector.detect(pixels, landmarks=True), to_lists)


def _serve_ipazc_mtcnn() -> None:
    import mtcnn
    import tensorflow

    detector = mtcnn.MTCNN(device="CPU:0")
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

    def to_lists(found: list[dict]) -> dict[str, list]:
        """It gives boxes as whole x, y, width, height."""
        boxes = [face["box"] for face in found]
        return {
            "boxes": [[float(v) for v in (x, y, x + width, y + height)] for x, y, width, height in boxes],
            "probabilities": [float(face["confidence"]) for face in found],
            "landmarks": [[[float(v) for v in face["keypoints"][name]] for name in names] for face in found],
        }

    about = {"tensorflow": tensorflow.__version__, "threads": len(os.sched_getaffinity(0))}
    serve(about, lambda pixels: detector.detect_faces(pixels, min_face_size=MIN_FACE_SIZE), to_lists)


if __name__ == "__main__":
    {FACENET_PYTORCH: _serve_facenet_pytorch, IPAZC_MTCNN: _serve_ipazc_mtcnn}[sys.argv[1]]()
