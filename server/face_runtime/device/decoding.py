"""JPEG files to images on the device: by the GPU in one call for a batch, the rest by threads of the processor.

The GPU's part is NVIDIA's nvImageCodec with the JPEG engine that the larger cards have. Its pixels are libjpeg's but
for a 1 here and there, and faces are the same; nvJPEG as torchvision calls it spreads colours otherwise, and a sixth of
the faces were no longer the same at IoU 0.9 (docs/gpu.md has the numbers).
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from face_pictures.decoding import check_pixels, decode_image
from face_pictures.errors import InvalidImage
from face_pictures.formats import format_of, open_image, orientation, reading_file
from face_runtime.device.images import DeviceImage
from face_runtime.engine import Map
from face_runtime.pixels import rgb_array

GpuDecoder: TypeAlias = Callable[[Sequence[bytes]], Sequence[Tensor | None]]
"""From JPEG files to UINT8 [H,W,3] each, as stored; None for what it does not read."""

_END_OF_IMAGE = b"\xff\xd9"


@dataclass(frozen=True)
class _File:
    """A picture that is not decoded yet. shape: of the upright picture. on_gpu: whether the GPU is to try."""

    data: bytes
    max_pixels: int
    orientation: int
    height: int
    width: int
    on_gpu: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, 3


class DeviceDecoder:
    """See `engine.Decoder`.

    Args:
        device: where images go.
        decode: `cpu`; `gpu`; or `auto`, which is `gpu` where the card has an engine for JPEG.
        map_files: maps over files in several threads.
        warn: is told in one sentence why `auto` decodes on the processor.

    Raises:
        ValueError: `decode` is `gpu`, and that cannot be.
    """

    def __init__(self, device: torch.device, decode: str, map_files: Map, warn: Callable[[str], None]) -> None:
        self._device = device
        self.map = map_files
        self._on_gpu: GpuDecoder | None = None
        if decode == "cpu" or (decode == "auto" and device.type == "cpu"):
            return
        try:
            self._on_gpu = gpu_decoder(device, hardware=decode == "auto")
        except ValueError as error:
            if decode == "gpu":
                raise
            warn(f"{error}, so the processor decodes JPEG, which takes 10 to 20 ms of a core for 1920x1080")

    def open(self, data: bytes, max_pixels: int) -> _File | NDArray[np.uint8]:
        with reading_file(data):
            if format_of(data).name != "JPEG":
                # Whatever else there is to know of other formats, `decode_image` knows.
                return decode_image(data, max_pixels, rgb_array)
            image = open_image(data)
            check_pixels(image.size, max_pixels)
            turn = orientation(image, data)
            width, height = image.size if turn < 5 else image.size[::-1]
            return _File(data, max_pixels, turn, height, width, self._on_gpu is not None and _is_usual(image, data))

    def finish(
        self, opened: Sequence[_File | NDArray[np.uint8]]
    ) -> list[DeviceImage | NDArray[np.uint8] | InvalidImage]:
        """What is an array already stays one."""
        images: list[Any] = list(opened)
        there = [n for n, file in enumerate(images) if isinstance(file, _File) and file.on_gpu]
        decoded = self._on_gpu([images[n].data for n in there]) if self._on_gpu and there else []
        for n, pixels in zip(there, decoded, strict=True):
            if pixels is not None and tuple(pixels.shape[:2]) == _stored_shape(images[n]):
                images[n] = DeviceImage(upright(pixels.permute(2, 0, 1), images[n].orientation))
        rest = [n for n, file in enumerate(images) if isinstance(file, _File)]
        for n, image in zip(rest, self.map(_decoded, [images[n] for n in rest]), strict=True):
            images[n] = image if isinstance(image, InvalidImage) else DeviceImage.uploaded(image, self._device)
        return images


def _decoded(file: _File) -> Any:
    """By the processor: RGB UINT8 [H,W,3], or what is wrong with the file."""
    try:
        return decode_image(file.data, file.max_pixels, rgb_array)
    except InvalidImage as error:
        return error


def _stored_shape(file: _File) -> tuple[int, int]:
    return (file.height, file.width) if file.orientation < 5 else (file.width, file.height)


def upright(pixels: Tensor, turn: int) -> Tensor:
    """UINT8 [3,H,W] as stored → upright, by its EXIF orientation; a view where that is possible."""
    if turn >= 5:
        pixels = pixels.transpose(1, 2)
    # 5 mirrors at the main diagonal and 7 at the other one; 6 and 8 are quarter turns.
    flipped = {2: (2,), 3: (1, 2), 4: (1,), 6: (2,), 7: (1, 2), 8: (1,)}.get(turn, ())
    return pixels.flip(flipped) if flipped else pixels


def _is_usual(image: Image.Image, data: bytes) -> bool:
    """Whether the GPU reads this JPEG, opened and not yet decoded, as libjpeg does: three components with the usual
    numbers, not progressive, and whole."""
    components = [component[0] for component in getattr(image, "layer", ())]
    return (
        image.mode == "RGB"
        and components == [1, 2, 3]
        and image.info.get("adobe_transform", 1) == 1
        and "progressive" not in image.info
        and _END_OF_IMAGE in data[-64:]
    )


def gpu_decoder(device: torch.device, hardware: bool) -> GpuDecoder:
    """nvImageCodec's decoder, tried once.

    hardware: only with the card's own engine for JPEG; else also with nvJPEG's kernels, whose pixels differ by up to 3.

    Raises:
        ValueError: the package or the engine is not there.
    """
    try:
        from nvidia import nvimgcodec
    except ImportError as error:
        raise ValueError("the package nvidia-nvimgcodec is not installed") from error
    kinds = nvimgcodec.BackendKind
    backends = [nvimgcodec.Backend(kinds.HW_GPU_ONLY)]
    if not hardware:
        backends.append(nvimgcodec.Backend(kinds.HYBRID_CPU_GPU))
    # Orientation is ours: what counts as one is to be the same wherever a picture is decoded.
    parameters = nvimgcodec.DecodeParams(apply_exif_orientation=False, color_spec=nvimgcodec.ColorSpec.SRGB)
    try:
        decoder = nvimgcodec.Decoder(device_id=device.index, backends=backends, options=":fancy_upsampling=1")
    except RuntimeError as error:
        raise ValueError(f"{device} has no engine for JPEG ({error})") from error

    def decode(files: Sequence[bytes]) -> list[Tensor | None]:
        try:
            images = decoder.decode(list(files), params=parameters)
        except RuntimeError:
            # The processor reads them all; if it is the GPU that has failed, their upload tells.
            return [None] * len(files)
        return [None if image is None else torch.as_tensor(image, device=device) for image in images]

    sample = io.BytesIO()
    Image.new("RGB", (64, 64)).save(sample, "JPEG")
    if decode([sample.getvalue()])[0] is None:
        raise ValueError(f"{device} has no engine for JPEG")
    return decode
