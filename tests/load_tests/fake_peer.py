"""A peer that needs no environment: finds one face as large as the picture; ends on a 1x1 picture."""

import os
import sys

from face_bench.peer_worker import serve


def detect(pixels):
    print("chatter of a library")
    height, width = pixels.shape[:2]
    if (height, width) == (1, 1):
        sys.exit("too small for me")
    return [0, 0, width, height], float(pixels.mean())


def to_lists(found):
    box, mean = found
    return {"boxes": [box], "probabilities": [mean], "landmarks": [[[1, 2]] * 5]}


if __name__ == "__main__":
    serve({"threads": os.environ.get("OMP_NUM_THREADS")}, detect, to_lists)
