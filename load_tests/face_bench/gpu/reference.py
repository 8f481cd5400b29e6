"""facenet-pytorch on the same machine: what it finds, and how fast it is.

A process of its own, `python -m face_bench.gpu.reference DEVICE FOLDER SECONDS`, which gives the card back when it
ends. In the folder it reads `exact.npz`, pixels in which to find faces, and `*.jpg` to be timed on; it
writes `answer.json`.
"""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from face_bench import BenchError
from face_bench.contenders import FoundFaces
from face_bench.pictures import Picture

BATCH = 8


@dataclass(frozen=True)
class ReferenceSpeed:
    """Images a second from JPEG bytes to faces, decoded by Pillow: one picture at a time, and 8 in a call."""

    device: str
    torch: str
    one_at_a_time: float | None
    batches: float | None


def ask_reference(
    device: str, exact: Sequence[Picture], timed: Sequence[Picture], seconds: float, timeout: float
) -> tuple[ReferenceSpeed, list[FoundFaces]]:
    """Its speed on `timed`, and the faces that it finds in the decoded pixels of each of `exact`. Raises BenchError."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "exact.npz", **{str(n): picture.decoded for n, picture in enumerate(exact)})
        for n, picture in enumerate(timed):
            (folder / f"{n:02}.jpg").write_bytes(picture.jpeg)
        command = [sys.executable, "-m", "face_bench.gpu.reference", device, str(folder), str(seconds)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"facenet-pytorch took longer than {timeout:.0f} s") from error
        if done.returncode:
            raise BenchError("facenet-pytorch: " + " / ".join(done.stderr.strip().splitlines()[-3:]))
        answer = json.loads((folder / "answer.json").read_text())
    return ReferenceSpeed(**answer["speed"]), [FoundFaces.of(*faces) for faces in answer["faces"]]


def main() -> None:
    device, folder, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    import facenet_pytorch
    import torch

    detector = facenet_pytorch.MTCNN(keep_all=True, device=device)

    def detect(images: Any) -> Any:
        return detector.detect(images, landmarks=True)

    # As users have it: convolutions of a GPU may round to TF32.
    speed = _speed(detect, [path.read_bytes() for path in sorted(folder.glob("*.jpg"))], seconds)
    # Exact: all of float32.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    with np.load(folder / "exact.npz", allow_pickle=False) as arrays:
        faces = [_lists(detect(arrays[name])) for name in arrays.files]
    about = {"device": device, "torch": torch.__version__, **speed}
    (folder / "answer.json").write_text(json.dumps({"speed": about, "faces": faces}))


def _lists(found: tuple[Any, Any, Any]) -> list[list[Any]]:
    """Without a face it returns None for the boxes."""
    return [[] if found[0] is None else array.tolist() for array in found]


def _speed(detect: Callable[[Any], Any], files: list[bytes], seconds: float) -> dict[str, float | None]:
    def open_all(part: list[bytes]) -> list[Image.Image]:
        return [Image.open(io.BytesIO(file)).convert("RGB") for file in part]

    def one(n: int) -> int:
        detect(open_all([files[n % len(files)]])[0])
        return 1

    def batch(n: int) -> int:
        detect(open_all([files[(n + k) % len(files)] for k in range(BATCH)]))
        return BATCH

    return {"one_at_a_time": _rate(one, len(files), seconds), "batches": _rate(batch, 1, seconds)}


def _rate(run: Callable[[int], int], warm_up: int, seconds: float) -> float | None:
    """Images a second over so many seconds, after some calls of warming up; None without seconds."""
    if not seconds:
        return None
    for n in range(warm_up):
        run(n)
    started, images, n = time.perf_counter(), 0, 0
    while time.perf_counter() - started < seconds:
        images += run(n)
        n += 1
    return images / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
