"""facenet-pytorch's helpers for loops over batches: its scripts import them beside MTCNN.

They train and measure modules of this process. The served networks are trained with `faces train`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Callable

import torch

from face_client.drop_in import NotHere
from face_client.errors import InvalidInput
from face_client.facenet_pytorch.models.utils.served import Served

Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Logger:
    """Writes one line a batch over the last one: mode, number, loss and metrics.

    mode: what the line begins with. length: batches in all. calculate_mean: the numbers given are sums of the batches
    so far, and are shown as means.
    """

    def __init__(self, mode: str, length: int, calculate_mean: bool = False) -> None:
        self.mode = mode
        self.length = length
        self.calculate_mean = calculate_mean

    def __call__(self, loss: Any, metrics: Mapping[str, Any], i: int) -> None:
        """i: of the batch, from 0."""
        count = i + 1 if self.calculate_mean else 1
        numbers = {"loss": loss, **metrics}
        told = " | ".join(f"{name}: {float(value) / count:9.4f}" for name, value in numbers.items())
        end = "\n" if i + 1 == self.length else ""
        print(f"\r{self.mode} | {i + 1:5d}/{self.length:<5d}| {told}   ", end=end)


class BatchTimer:
    """A metric: the time since the last batch. rate: one through it. per_sample: for each row of the batch."""

    def __init__(self, rate: bool = True, per_sample: bool = True) -> None:
        self.rate = rate
        self.per_sample = per_sample
        self.start = time.time()

    def __call__(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 a metric's signature
        """Seconds, or batches or rows a second."""
        now = time.time()
        seconds, self.start = now - self.start, now
        if self.per_sample:
            seconds /= len(y_pred)
        return torch.tensor(1 / seconds if self.rate else seconds)


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The share of rows whose largest logit is that of the class `y`."""
    return (logits.argmax(dim=1) == y).float().mean()


def collate_pil(x: Iterable[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    """A data loader's `collate_fn` that leaves pictures as they are: pairs to a list of each."""
    pairs = list(x)
    return [picture for picture, _ in pairs], [label for _, label in pairs]


def pass_epoch(
    model: torch.nn.Module,
    loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    loader: Any,
    optimizer: Any = None,
    scheduler: Any = None,
    batch_metrics: Mapping[str, Metric] | None = None,
    show_running: bool = True,
    device: torch.device | str = "cpu",
    writer: Any = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Go once through a data loader's pairs, learning where the model is in training mode; the mean loss and metrics.

    batch_metrics: of predictions and labels, by name; a timer where none are given. show_running: print means so far,
    not those of the batch. writer: TensorBoard's, with attributes `iteration` and `interval`.
    Raises NotHere for a served network in training mode: it cannot learn here. One of your own behind it can.
    """
    if model.training and isinstance(model, Served):
        raise NotHere(f"{type(model).__name__} cannot be trained here: its network is in the server (`faces train`)")
    metrics_of = {"time": BatchTimer()} if batch_metrics is None else batch_metrics
    mode = "Train" if model.training else "Valid"
    log = Logger(mode, len(loader), calculate_mean=show_running)
    sums: dict[str, torch.Tensor] = {}
    count = 0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        predicted = model(x)
        loss = loss_fn(predicted, y)
        if model.training:
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        batch = {"loss": loss, **{name: metric(predicted, y) for name, metric in metrics_of.items()}}
        batch = {name: value.detach().cpu() for name, value in batch.items()}
        sums = {name: sums.get(name, 0) + value for name, value in batch.items()}
        if writer is not None and model.training:
            if writer.iteration % writer.interval == 0:
                _write(writer, mode, batch)
            writer.iteration += 1
        _log(log, sums if show_running else batch, count)
        count += 1
    if not count:
        raise InvalidInput("loader gives no batches; there must be at least one")
    if model.training and scheduler is not None:
        scheduler.step()
    means = {name: value / count for name, value in sums.items()}
    if writer is not None and not model.training:
        _write(writer, mode, means)
    return means.pop("loss"), means


def _log(log: Logger, values: Mapping[str, torch.Tensor], i: int) -> None:
    log(values["loss"], {name: value for name, value in values.items() if name != "loss"}, i)


def _write(writer: Any, mode: str, values: Mapping[str, torch.Tensor]) -> None:
    for name, value in values.items():
        writer.add_scalars(name, {mode: value}, writer.iteration)
