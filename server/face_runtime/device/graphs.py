"""Passes of a network recorded as CUDA graphs: one launch instead of thirty, each of which takes 10 µs of a core."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

Outputs: TypeAlias = tuple[Tensor, ...]

_SMALLEST = 32
_WARM_UPS = 3


@dataclass(frozen=True)
class _Recorded:
    """Of so many rows as `batch` has; a replay reads that and writes `outputs`."""

    graph: torch.cuda.CUDAGraph
    batch: Tensor
    outputs: Outputs


def sizes_up_to(largest: int) -> list[int]:
    """Doubling from 32 to an eighth of the largest, then by eighths of it: little of a large batch is padding."""
    sizes = [_SMALLEST]
    while sizes[-1] < largest // 8:
        sizes.append(2 * sizes[-1])
    return [*sizes, *range(sizes[-1] + largest // 8, largest + 1, largest // 8)]


class Graphs:
    """A network on crops, recorded for batches of some sizes; a batch of another size goes with the next larger.

    What a call returns is overwritten by the next one.

    Args:
        run: from a batch FP32 [N,3,side,side] on the device to its outputs.
        largest: rows; larger batches run unrecorded.
    """

    def __init__(self, run: Callable[[Tensor], Outputs], side: int, largest: int, device: torch.device) -> None:
        self._run = run
        # One pool: no two of them are replayed at a time.
        pool = torch.cuda.graph_pool_handle()
        # The largest first: its memory serves all others.
        recorded = [self._recorded(size, side, device, pool) for size in reversed(sizes_up_to(largest))]
        self._by_size = {len(one.batch): one for one in reversed(recorded)}

    def _recorded(self, size: int, side: int, device: torch.device, pool: Any) -> _Recorded:
        batch = torch.zeros((size, 3, side, side), device=device)
        # Libraries make their handles and choose their kernels outside of the record.
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._run(batch)
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            outputs = self._run(batch)
        return _Recorded(graph, batch, outputs)

    def __call__(self, batch: Tensor) -> Outputs:
        recorded = next((one for size, one in self._by_size.items() if size >= len(batch)), None)
        if recorded is None:
            return self._run(batch)
        recorded.batch[: len(batch)].copy_(batch)
        recorded.graph.replay()
        return tuple(output[: len(batch)] for output in recorded.outputs)
