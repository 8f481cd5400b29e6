"""Pictures in the form that NVIDIA's perf_analyzer reads: `--input-data FILE`."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from tritonclient.utils import serialize_byte_tensor

from face_bench import progress
from face_bench.pictures import Picture
from face_load.arguments import Arguments
from face_load.options import parse_sizes
from face_load.traffic import FORMATS, RAW, pictures


def perf_data(args: Arguments) -> bool:
    """Writes perf_raw.json and perf_jpeg.json; each step in them is one picture."""
    found = pictures(parse_sizes(args.sizes), args.photos)
    for name in FORMATS:
        path = args.out / f"perf_{name}.json"
        path.write_text(json.dumps(document(found, name)) + "\n")
        progress.say(f"written: {path}, {len(found)} pictures, {path.stat().st_size / 1e6:.1f} MB")
    return True


def document(found: Sequence[Picture], name: str) -> dict[str, Any]:
    """The pictures in one of FORMATS: perf_analyzer takes the same inputs in every step of a file."""
    return {"data": [_raw(picture) if name == RAW else _jpeg(picture) for picture in found]}


def _raw(picture: Picture) -> dict[str, Any]:
    return {"image": {"content": {"b64": _base64(picture.pixels.tobytes())}, "shape": list(picture.pixels.shape)}}


def _jpeg(picture: Picture) -> dict[str, Any]:
    # As on the wire: the length, then the bytes.
    tensor = serialize_byte_tensor(np.array([picture.jpeg], np.object_)).item()
    return {"encoded_image": {"content": {"b64": _base64(tensor)}, "shape": [1]}}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
