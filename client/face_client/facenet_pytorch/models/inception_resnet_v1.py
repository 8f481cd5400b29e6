"""FaceNet as facenet-pytorch's module of that name, computed by the server."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from face_client import FaceClient
from face_client.drop_in import Connection, InvalidValue, grey_levels, not_here, warn_if_random
from face_client.errors import InvalidInput
from face_client.facenet_pytorch.models.utils.served import Served
from face_client.images import as_array
from face_client.messages import CROP_SIZE
from face_client.options import DEFAULT_URL

# The weights that facenet-pytorch publishes, and how many people their classifiers tell apart.
_PUBLISHED_CLASSES = {"vggface2": 8631, "casia-webface": 10575}

# Whom a warning points at: beyond the check, forward, and two frames of torch's, the caller of the module.
_CALLER = 5


class InceptionResnetV1(Served):
    """Embeddings, or logits, of faces; call it with float [N, 3, 160, 160], any N.

    The values are those that `fixed_image_standardization` gives, (level - 127.5) / 128. The server takes whole
    grey levels: level = 128 x + 127.5 is exact for what MTCNN returns with post_process=True. Other values are
    rounded to the nearest of the 256 levels, a change of 1/256 at most; more than half a level outside
    0…255, as `prewhiten` gives, is refused.

    pretrained: "vggface2", "casia-webface" or None. Which weights answer is the server's choice (`faces export
        --facenet`); where its classifier has another size than the set named here, a call for logits warns.
    classify: return logits float [N, K] instead of L2-normalised embeddings float [N, 512]; may be set later.
    num_classes: K, checked when logits are asked for.
    dropout_prob: accepted; the network always runs as after `.eval()`.
    device: remembered; results lie on the device of the call's argument, and have its type.
    url: "host:port" of the server. client: a FaceClient to use instead.

    A torch module without weights, see `Served`: `.eval()`, `.to()`, `.half()` are harmless; training, gradients,
    loading weights and tracing are not possible. Calls raise FaceError; InvalidInput for a tensor of another shape or
    range, and for a device that torch does not know.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        classify: bool = False,
        num_classes: int | None = None,
        dropout_prob: float = 0.6,
        device: torch.device | str | None = None,
        *,
        url: str | None = DEFAULT_URL,
        client: FaceClient | None = None,
    ) -> None:
        super().__init__(device, Connection(url, client))
        if pretrained is not None and pretrained not in _PUBLISHED_CLASSES:
            raise InvalidValue(f"pretrained is {pretrained!r}; it must be 'vggface2', 'casia-webface' or None")
        if classify and pretrained is None and num_classes is None:
            raise InvalidInput("classify without pretrained needs num_classes")
        self.pretrained = pretrained
        self.classify = classify
        self.num_classes = num_classes
        self.dropout_prob = dropout_prob
        self._weights_known = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings [N, 512], or logits [N, K] where `classify` is set."""
        self.refuse_to_be_traced()
        crops = _crops(x)
        if torch.is_grad_enabled() and x.requires_grad:
            warnings.warn("x wants a gradient, and the server's answer has none", stacklevel=_CALLER - 1)
        # Of no crops nothing is asked.
        if len(crops) and not self._weights_known:
            warn_if_random(self.connection.client, _CALLER)
            self._weights_known = True
        if self.classify:
            rows = self.connection.client.classify(crops)
            # Of no crops nothing is known.
            if len(crops):
                self._check_classes(rows.shape[1])
        else:
            rows = self.connection.client.embed(crops)
        return _like(rows, x)

    def _check_classes(self, count: int) -> None:
        if self.num_classes is not None:
            if count != self.num_classes:
                raise InvalidInput(f"num_classes is {self.num_classes}; the server's classifier has {count}")
        elif self.pretrained is not None and count != _PUBLISHED_CLASSES[self.pretrained]:
            warnings.warn(
                f"pretrained is {self.pretrained!r}, with {_PUBLISHED_CLASSES[self.pretrained]} classes; the server's "
                f"FaceNet has {count}, so its weights are others",
                stacklevel=_CALLER,
            )


def get_torch_home() -> str:
    """The folder of PyTorch's caches, where facenet-pytorch keeps weights; nothing is kept there from here."""
    return str(Path(torch.hub.get_dir()).parent)


def _crops(x: torch.Tensor) -> NDArray[np.uint8]:
    """uint8 [N, 160, 160, 3] of standardised float [N, 3, 160, 160]."""
    if not (isinstance(x, torch.Tensor) and x.is_floating_point() and x.shape[1:] == (3, CROP_SIZE, CROP_SIZE)):
        what = f"{x.dtype} {list(x.shape)}" if isinstance(x, torch.Tensor) else type(x).__name__
        raise InvalidInput(f"x is {what}; it must be a float tensor [N, 3, {CROP_SIZE}, {CROP_SIZE}]")
    # In NumPy: torch's threads hang in a process that was forked after they had been used.
    levels = as_array(x, "x").astype(np.float32).transpose(0, 2, 3, 1) * np.float32(128) + np.float32(127.5)
    try:
        return np.ascontiguousarray(grey_levels(levels, "x * 128 + 127.5"))
    except InvalidInput as error:
        raise InvalidInput(f"{error}; standardise crops with fixed_image_standardization") from None


def _like(rows: NDArray[np.float32], x: torch.Tensor) -> torch.Tensor:
    """The rows on the device of x, and of its type; on the processor without torch's threads."""
    if x.dtype == torch.bfloat16:
        # The upper half of a 32-bit float, rounded to the nearest, halves to even.
        bits = rows.view(np.uint32)
        halves = ((bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16).astype(np.uint16).view(np.int16)
        return torch.from_numpy(halves).view(torch.bfloat16).to(x.device)
    kind = {torch.float16: np.float16, torch.float64: np.float64}.get(x.dtype, np.float32)
    return torch.from_numpy(rows.astype(kind)).to(x.device, x.dtype)


_LAYERS = {"BasicConv2d", "Block17", "Block35", "Block8", "Mixed_6a", "Mixed_7a", "load_weights"}


__getattr__ = not_here(
    __name__, _LAYERS, "is of the network, which is in the server: `faces export --facenet` gives it weights"
)
