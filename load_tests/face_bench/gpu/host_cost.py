"""What the processor does in the cascade for an image that is on a GPU, measured without one:
`python -m face_bench.gpu.host_cost`.

The cascade runs once with the engine of a device on the processor, and what that engine hands back to the host, cells
and outputs, is kept. Then it runs again and again on what was kept, so that what takes time is the flow alone:
planning, boxes, suppression, selection. Not in it: tables, launches and waits of the engine; decoding and transport.
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from face_bench.machine import CHECKOUT, Machine
from face_bench.pictures import PORTRAIT, wall
from face_cascade import Call, DetectionParameters, Limits, detect, drive
from face_cascade.arrays import Cells, Float32
from face_cascade.networks import STAGES
from face_runtime.device.arrays import TorchArrays
from face_runtime.record import Record
from face_runtime.torchscript import TorchScriptNetwork

_SIZE = (1920, 1080)
_IMAGES = 8
_ROUNDS = 30


class Replay(TorchArrays):
    """Keeps what goes to the host in the first run, and hands that out in all others."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self._kept: list[Any] = []
        self._next = iter(self._kept)
        self.replaying = False

    def again(self) -> None:
        self.replaying = True
        self._next = iter(self._kept)

    def gather(self, found: Sequence[Any]) -> list[Cells]:
        return self._once(lambda: super(Replay, self).gather(found))

    def rows(self, outputs: Sequence[torch.Tensor]) -> tuple[Float32, ...]:
        return self._once(lambda: super(Replay, self).rows(outputs))

    def _once(self, make: Any) -> Any:
        if not self.replaying:
            self._kept.append(make())
            return self._kept[-1]
        return next(self._next)

    def image(self, pixels: Any, turn: int = 0) -> Any:
        return pixels if self.replaying else super().image(pixels, turn)

    def tiles(self, *given: Any) -> Any:
        return None if self.replaying else super().tiles(*given)

    def cells(self, *given: Any) -> Any:
        return None if self.replaying else super().cells(*given)

    def crops(self, *given: Any) -> Any:
        return None if self.replaying else super().crops(*given)


def pictures() -> list[NDArray[np.uint8]]:
    """The wall, as it is, mirrored and moved: each has some 800 candidates after PNet."""
    whole = wall(Image.open(PORTRAIT).convert("RGB"), *_SIZE)
    return [np.roll(whole[:, :: 1 if n % 2 else -1], 97 * n, axis=1).copy() for n in range(_IMAGES)]


def main() -> None:
    arrays, images = Replay(), pictures()
    files = {n: CHECKOUT / "model_repository" / n.name / "1" / "model.pt" for n in STAGES}
    networks = {network: TorchScriptNetwork(file, "cpu", 2) for network, file in files.items()}
    parameters = [DetectionParameters()] * len(images)

    def run(call: Call) -> Any:
        return None if arrays.replaying else networks[call.network].run(call.batch)

    drive(detect(images, parameters, Limits(), arrays), run)
    rounds: list[tuple[float, Record]] = []
    for _ in range(_ROUNDS):
        arrays.again()
        record = Record()
        started = time.process_time()
        drive(record.stages(detect(images, parameters, Limits(), arrays)), run)
        rounds.append((time.process_time() - started, record))
    print(Machine.here().line)
    print(f"{len(images)} images of {_SIZE[0]}x{_SIZE[1]} in a batch, medians of {_ROUNDS} rounds, ms an image")
    for stage in rounds[0][1].stage_seconds:
        print(f"  {stage:10} {_ms([record.stage_seconds[stage] for _, record in rounds]):6.2f}")
    print(f"  {'processor':10} {_ms([seconds for seconds, _ in rounds]):6.2f}")


def _ms(seconds: Sequence[float]) -> float:
    return 1e3 * median(seconds) / _IMAGES


if __name__ == "__main__":
    main()
