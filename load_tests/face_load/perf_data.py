"""Pictures in the form that NVIDIA's perf_analyzer reads: `--input-data FILE`."""

import argparse
import base64
import json
from collections.abc import Sequence
from typing import Any

from face_bench.output import say
from face_bench.pictures import Picture
from face_bench.wire import FORMATS, picture_tensors, tensor_bytes
from face_load.options import parse_sizes
from face_load.plan import pictures


def perf_data(args: argparse.Namespace) -> bool:
    """Writes perf_raw.json and perf_jpeg.json; each step in them is one picture."""
    found = pictures(parse_sizes(args.sizes), args.photos)
    for name in FORMATS:
        path = args.out / f"perf_{name}.json"
        path.write_text(json.dumps(document(found, name)) + "\n")
        say(f"written: {path}, {len(found)} pictures, {path.stat().st_size / 1e6:.1f} MB")
    return True


def document(found: Sequence[Picture], form: str) -> dict[str, Any]:
    """The pictures in one of FORMATS: perf_analyzer takes the same inputs in every step of a file."""
    return {"data": [_step(picture, form) for picture in found]}


def _step(picture: Picture, form: str) -> dict[str, Any]:
    return {
        name: {"content": {"b64": base64.b64encode(tensor_bytes(array)).decode()}, "shape": list(array.shape[1:])}
        for name, array in picture_tensors(picture, form).items()
    }
