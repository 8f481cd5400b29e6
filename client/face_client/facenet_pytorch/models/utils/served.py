"""Torch modules whose networks are in the server: what holds for all, and what they refuse instead of doing nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, TypeVar

import torch
from torch import nn

from face_client import FaceClient
from face_client.drop_in import Connection, NotHere
from face_client.errors import InvalidInput
from face_client.options import DEFAULT_URL

# What torch raises for a device that this machine does not have.
_NO_DEVICE = (RuntimeError, AssertionError, NotImplementedError)


class Served(nn.Module):
    """A module without weights, whose `.to()`, `.eval()`, `.half()` and the like are harmless.

    It has one parameter, empty, so that `next(module.parameters())` tells a device and a type. Weights can be neither
    loaded nor saved, layers neither replaced nor traced: that raises NotHere, and would be without effect.

    device: remembered as it is; None for the processor. Raises InvalidInput for what torch does not know as one.
    """

    def __init__(self, device: torch.device | str | int | None, connection: Connection) -> None:
        super().__init__()
        self.device = torch.device("cpu") if device is None else device
        self._connection = connection
        self._kept_type = torch.float32
        try:
            self._kept_at = torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise InvalidInput(f"device is {device!r}; it must be one of torch's, such as 'cpu' or 'cuda:0'") from error

    @property
    def connection(self) -> Connection:
        """To the server."""
        return self._connection

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:  # noqa: ARG002 torch's signature
        """One without values, where the module was put last; on the processor where that device is not there."""
        yield nn.Parameter(self._empty(), requires_grad=False)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Raises NotHere. As a part of another module it adds nothing to that one's."""
        if args or kwargs.get("destination") is not None:
            return super().state_dict(*args, **kwargs)
        raise NotHere(f"{type(self).__name__} has no weights to save here: they are in the server's model repository")

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Raises NotHere."""
        self._refuse_layer(name, module)
        super().add_module(name, module)

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse_layer(name, value)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            if name.startswith("_"):
                raise
            raise AttributeError(f"{error}; its layers and weights are in the server") from None

    def __prepare_scriptable__(self) -> nn.Module:
        """What torch.jit.script calls first."""
        raise NotHere(f"{type(self).__name__} cannot be scripted: its network is in the server")

    def refuse_to_be_traced(self) -> None:
        """Raises NotHere where a call is being recorded: the recording would hold this one answer for ever."""
        is_exporting = getattr(getattr(torch, "compiler", None), "is_exporting", bool)
        if torch.jit.is_tracing() or is_exporting():
            raise NotHere(
                f"{type(self).__name__} cannot be traced or exported: its network is in the server, and the recording "
                "would give this one answer for every input; `faces export` writes the network itself, as TorchScript"
            )

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Served:
        try:
            moved = fn(self._empty())
        except _NO_DEVICE:
            moved = self._empty()
        self._kept_at, self._kept_type = moved.device, moved.dtype
        super()._apply(fn) if recurse else super()._apply(fn, recurse)
        return self

    def _empty(self) -> torch.Tensor:
        try:
            return torch.empty(0, dtype=self._kept_type, device=self._kept_at)
        except _NO_DEVICE:
            return torch.empty(0, dtype=self._kept_type)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        count = sum(key.startswith(prefix) for key in state_dict)
        if count:
            raise NotHere(
                f"{count} weights cannot be loaded into {type(self).__name__}: its network is in the server, "
                "which takes them with `faces export`"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _refuse_layer(self, name: str, value: object) -> None:
        if isinstance(value, (nn.Module, nn.Parameter)):
            raise NotHere(
                f"{type(self).__name__}.{name} cannot be replaced: its layers are in the server; "
                "put yours behind its answer, or give the server other weights with `faces export`"
            )


AnyNetwork = TypeVar("AnyNetwork", bound="Network")


class Network(Served):
    """One of the three networks of `MTCNN`: a label, which says which server is asked. Calling it raises NotHere."""

    def __init__(
        self, pretrained: bool = True, *, url: str | None = DEFAULT_URL, client: FaceClient | None = None
    ) -> None:
        super().__init__(None, Connection(url, client))
        self.pretrained = pretrained

    @classmethod
    def of(cls: type[AnyNetwork], connection: Connection) -> AnyNetwork:
        """That of a detector."""
        network = cls()
        network._connection = connection
        return network

    def forward(self, *inputs: object) -> object:  # noqa: ARG002
        """Raises NotHere."""
        name = type(self).__name__.lower()
        raise NotHere(f"{name} runs in the server: ask its model {name!r} for tensors (docs/api.md), MTCNN for faces")
