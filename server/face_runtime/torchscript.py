"""Loads a TorchScript file and runs batches through it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")
"""What CUDA's and the processor's allocators say."""


def is_out_of_memory(error: RuntimeError) -> bool:
    """By its words: TorchScript turns whatever its operations raise into RuntimeError, and CUDA has two for this."""
    return any(words in str(error) for words in _OUT_OF_MEMORY)


class TorchScriptNetwork:
    """One network on one device.

    Args:
        path: a scripted module, as `faces export` writes it.
        device: "cpu" or "cuda:N".
        micro_batch: the most rows in one pass; 0 for all at once. Small passes stay in a processor's caches.
        optimize: torch may compile for the sizes that it sees.
    """

    def __init__(self, path: Path, device: str, micro_batch: int = 0, optimize: bool = True) -> None:
        self._device = torch.device(device)
        self._micro_batch = micro_batch
        self._optimize = optimize
        try:
            module = torch.jit.load(str(path), map_location=self._device).eval()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise ValueError(f"{path} is damaged: {str(error).strip().splitlines()[0]}") from error
        if self._device.type == "cpu":
            # Worth 1.7 to 4 times a frozen module. Done here: the file itself stays portable.
            self._module = torch.jit.optimize_for_inference(torch.jit.freeze(module))
        else:
            # TF32 rounds a score by a thousandth, and not the same in each size of a batch.
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
            self._module = torch.jit.freeze(module)

    def __call__(self, batch: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
        """Runs a batch [N,…]; returns every output of the module, FP32 [N,…] each. Raises as `run` does."""
        return tuple(output.cpu().numpy() for output in self.run(torch.from_numpy(batch)))

    def run(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The same with tensors: the batch may lie anywhere, the outputs lie on the device.

        Raises:
            MemoryError: there was too little, of the processor's or of the GPU's.
            RuntimeError: the module refused the batch; torch's text holds a traceback with paths.
        """
        try:
            rows = batch.to(self._device)
            with torch.inference_mode(), torch.jit.optimized_execution(self._optimize):
                passes = [self._pass(part) for part in rows.split(self._micro_batch or len(rows))]
            if len(passes) == 1:
                return passes[0]
            return tuple(torch.cat(parts) for parts in zip(*passes, strict=True))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise MemoryError(f"too little memory for a batch of shape {list(batch.shape)}") from error
            raise

    def _pass(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs: torch.Tensor | Sequence[torch.Tensor] = self._module(rows)
        return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
