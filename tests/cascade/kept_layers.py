"""Kernels and what they answer, for processes that tests start: `python -m tests.cascade.kept_layers WIDTH…`.

Prints `ready`, waits for a line, and prints an object: what a layer of each width answered, as a hash; how many of them
numba compiled; what troubled the cache.
"""

import hashlib
import json
import sys

import numpy as np
from numba.core import event

from face_cascade import code_cache
from face_cascade.compiled import COMPILED
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.crops import COMPILED_ONET, COMPILED_RNET
from face_cascade.compiled.layers import on_pixels
from face_cascade.compiled.pnet import View
from face_cascade.compiled.scanning import SHAPES
from face_cascade.machine_code import kept, named
from face_cascade.networks import ONET, PNET, RNET
from face_cascade.vectors import LANES


def main() -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    layers = [_layer(int(width)) for width in sys.argv[1:]]
    with event.install_recorder("numba:compile") as recorder:
        answers = [answer() for _, answer in layers]
    ours = {id(function) for function, _ in layers}
    starts = [happened for _, happened in recorder.buffer if happened.is_start]
    compiled = sum(id(happened.data["dispatcher"]) in ours for happened in starts)
    print(json.dumps({"answers": answers, "compiled": compiled, "trouble": code_cache.shared().trouble}))


def _layer(width):
    """(a kept function, what calls it); functions of all widths below a vector's have the same types."""
    layer = Convolution(3, 3, 3, width, typical_width=22, pixel_floats=1)
    convolve = on_pixels(layer)

    @kept()
    @named(layer)
    def run(source, packed, target):
        convolve(source, packed, target)

    def answer():
        random = np.random.default_rng(1)
        source = random.uniform(0, 255, (3, 24, 24)).astype(np.float32)
        weight, bias, slope = (
            random.normal(size=shape).astype(np.float32) for shape in ((width, 3, 3, 3), width, width)
        )
        target = np.zeros((22, 22, layer.vectors * LANES), np.float32)
        run(source, layer.packed(weight, bias, slope), target)
        return _hash(target)

    return run, answer


def of_all_kernels():
    """A hash of what each kernel that the cascade keeps answers."""
    # Imported here: they are compiled, or loaded, with the import.
    from face_cascade.area import area_crops, area_resize, area_windows, integral_image
    from face_cascade.suppression import nms, nms_across, nms_within

    random = np.random.default_rng(1)
    sums = integral_image(random.integers(0, 256, (90, 120, 3), np.uint8))
    level, crops = np.zeros((3, 40, 50), np.float32), np.zeros((1, 3, 24, 24), np.float32)
    area_resize(sums, *area_windows(90, 40), *area_windows(120, 50), level)
    area_crops(sums, np.array([[3, 4, 60, 70]], np.int32), crops)
    corners = random.uniform(0, 400, (3000, 2)).astype(np.float32)
    boxes = np.hstack([corners, corners + random.uniform(5, 90, (3000, 2)).astype(np.float32)])
    scores, groups = random.random(3000, np.float32), np.sort(random.integers(0, 5, 3000))
    found = [
        (level,),
        (crops,),
        (nms(boxes, scores, 0.5),),
        (nms_within(groups, boxes, scores, 0.5),),
        (nms_across(groups[:300], boxes[:300], scores[:300], 0.5),),
    ]
    for network, shapes in ((PNET, SHAPES), (RNET, COMPILED_RNET.shapes), (ONET, COMPILED_ONET.shapes)):
        weights = {name: random.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
        side = 64 if network is PNET else network.side
        compiled = COMPILED[network](weights)
        found.append(compiled(random.uniform(0, 255, (9, 3, side, side)).astype(np.float32)))
        if network is PNET:
            found.append(compiled.likely(View(sums, *area_windows(90, 40), *area_windows(120, 50)), 0.5))
    return [_hash(*arrays) for arrays in found]


def _hash(*arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


if __name__ == "__main__":
    main()
