"""What torch would need hundreds of launches for, each in one: kernels in OpenAI's `triton` language.

A kernel works on all images of a batch, of whatever sizes: it reads from a table, INT64 on the device, where the images
lie and what is wanted of each. `twins` says the same in plain torch; tests compare the two, on a CPU in triton's
interpreter (TRITON_INTERPRET=1). All averages are equal to the bit to those of `face_cascade.area`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray
from torch import Tensor

from face_runtime.device.images import DeviceImage

# Not tuned per card: each kernel moves far less than the networks do.
_SCAN_COLUMNS = 1024
_SCAN_BLOCK = (32, 64)
_DRAW_BLOCK = (8, 128)
_CELLS_BLOCK = 1024
_CROP_ROWS = 8


@triton.jit
def _scan_rows(table, ROWS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Running sums along each row of an image: UINT8 → INT32, into rows 1… and columns 1… of the integral image."""
    entry = table + tl.program_id(1) * ROWS
    row = tl.program_id(0)
    height, width = tl.load(entry + 2), tl.load(entry + 3)
    if row >= height:
        return
    source = tl.load(entry).to(tl.pointer_type(tl.uint8))
    sums = tl.load(entry + 1).to(tl.pointer_type(tl.int32))
    row_stride, column_stride, channel_stride = tl.load(entry + 4), tl.load(entry + 5), tl.load(entry + 6)
    pitch = width + 1
    for channel in range(3):
        pixels = source + channel * channel_stride + row * row_stride
        line = sums + (channel * (height + 1) + row + 1) * pitch
        tl.store(line, 0)
        carry = tl.zeros((), tl.int32)
        for start in range(0, width, BLOCK):
            columns = start + tl.arange(0, BLOCK)
            inside = columns < width
            values = tl.load(pixels + columns * column_stride, mask=inside, other=0).to(tl.int32)
            tl.store(line + 1 + columns, carry + tl.cumsum(values, 0), mask=inside)
            carry += tl.sum(values, 0)


@triton.jit
def _scan_columns(table, ROWS: tl.constexpr, DEEP: tl.constexpr, WIDE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Running sums down each column, in place; row 0 becomes zero."""
    entry = table + tl.program_id(2) * ROWS
    height, width = tl.load(entry + 2), tl.load(entry + 3)
    pitch = width + 1
    if tl.program_id(0) * WIDE >= pitch:
        return
    channel = tl.program_id(1)
    columns = tl.program_id(0) * WIDE + tl.arange(0, WIDE)
    wide = columns < pitch
    plane = tl.load(entry + 1).to(tl.pointer_type(tl.int32)) + channel * (height + 1) * pitch
    tl.store(plane + columns, tl.zeros((WIDE,), tl.int32), mask=wide)
    carry = tl.zeros((WIDE,), tl.int32)
    for start in range(0, height, DEEP):
        rows = start + tl.arange(0, DEEP)
        inside = (rows < height)[:, None] & wide[None, :]
        cells = plane + (rows + 1)[:, None] * pitch + columns[None, :]
        values = tl.load(cells, mask=inside, other=0)
        tl.store(cells, carry[None, :] + tl.cumsum(values, 0), mask=inside)
        carry += tl.sum(values, 0)


@triton.jit
def _average(plane, pitch, y0, y1, x0, x1, inside):  # type: ignore[no-untyped-def]
    """Averages over rows y0…y1 and columns x0…x1, FP32 [R,C]; divided in the order of `area._average_windows`."""
    total = (
        tl.load(plane + y1[:, None] * pitch + x1[None, :], mask=inside, other=0)
        - tl.load(plane + y0[:, None] * pitch + x1[None, :], mask=inside, other=0)
        - tl.load(plane + y1[:, None] * pitch + x0[None, :], mask=inside, other=0)
        + tl.load(plane + y0[:, None] * pitch + x0[None, :], mask=inside, other=0)
    )
    # Where nothing is read nothing may be divided by zero.
    height = tl.maximum(y1 - y0, 1).to(tl.float32)[:, None] + tl.zeros_like(total).to(tl.float32)
    width = tl.maximum(x1 - x0, 1).to(tl.float32)[None, :] + tl.zeros_like(total).to(tl.float32)
    # Rounded to nearest, as on a CPU: `/` would be off by a bit now and then.
    return tl.div_rn(tl.div_rn(total.to(tl.uint32, bitcast=True).to(tl.float32), height), width)


@triton.jit
def _draw(  # type: ignore[no-untyped-def]
    table, tiles, tile_height, tile_width, COLUMNS: tl.constexpr, DEEP: tl.constexpr, WIDE: tl.constexpr
):
    """One block of one piece of a level, three channels, into its tile."""
    entry = table + tl.program_id(1) * COLUMNS
    piece_height, piece_width = tl.load(entry + 7), tl.load(entry + 8)
    across = tl.cdiv(piece_width, WIDE)
    top = tl.program_id(0) // across * DEEP
    if top >= piece_height:
        return
    rows = top + tl.arange(0, DEEP)
    columns = tl.program_id(0) % across * WIDE + tl.arange(0, WIDE)
    inside = (rows < piece_height)[:, None] & (columns < piece_width)[None, :]
    plane = tl.load(entry).to(tl.pointer_type(tl.int32))
    height, width = tl.load(entry + 1), tl.load(entry + 2)
    level_height, level_width = tl.load(entry + 3), tl.load(entry + 4)
    y, x = tl.load(entry + 5) + rows, tl.load(entry + 6) + columns
    y0, y1 = y * height // level_height, tl.cdiv((y + 1) * height, level_height)
    x0, x1 = x * width // level_width, tl.cdiv((x + 1) * width, level_width)
    tile, tile_top, tile_left = tl.load(entry + 9), tl.load(entry + 10), tl.load(entry + 11)
    target = tiles + tile * 3 * tile_height * tile_width
    target = target + (tile_top + rows)[:, None] * tile_width + (tile_left + columns)[None, :]
    for channel in range(3):
        values = _average(plane + channel * (height + 1) * (width + 1), width + 1, y0, y1, x0, x1, inside)
        tl.store(target + channel * tile_height * tile_width, values, mask=inside)


@triton.jit
def _find_cells(  # type: ignore[no-untyped-def]
    table, thresholds, regression, probability, map_height, map_width, found, COLUMNS: tl.constexpr, BLOCK: tl.constexpr
):
    """Cells of one piece whose probability reaches its threshold, behind a header whose first number counts them."""
    piece = tl.program_id(1)
    entry = table + piece * COLUMNS
    rows, columns = tl.load(entry + 1), tl.load(entry + 2)
    start = tl.program_id(0) * BLOCK
    if start >= rows * columns:
        return
    cell = start + tl.arange(0, BLOCK)
    row, column = cell // columns, cell % columns
    tile = tl.load(entry)
    at = (tl.load(entry + 3) + row) * map_width + tl.load(entry + 4) + column
    inside = cell < rows * columns
    scores = tl.load(probability + tile * map_height * map_width + at, mask=inside, other=0)
    chosen = inside & (scores >= tl.load(thresholds + piece))
    ones = chosen.to(tl.int32)
    first = tl.atomic_add(found, tl.sum(ones, 0))
    target = found + (first + tl.cumsum(ones, 0)).to(tl.int64) * 8
    tl.store(target, tl.zeros((BLOCK,), tl.int32) + piece, mask=chosen)
    tl.store(target + 1, row.to(tl.int32), mask=chosen)
    tl.store(target + 2, column.to(tl.int32), mask=chosen)
    tl.store(target + 3, scores.to(tl.int32, bitcast=True), mask=chosen)
    for edge in range(4):
        moves = tl.load(regression + (tile * 4 + edge) * map_height * map_width + at, mask=chosen, other=0)
        tl.store(target + 4 + edge, moves.to(tl.int32, bitcast=True), mask=chosen)


@triton.jit
def _crop(table, crops, side, COLUMNS: tl.constexpr, DEEP: tl.constexpr, WIDE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Some rows of one crop, three channels."""
    number = tl.program_id(0).to(tl.int64)
    entry = table + number * COLUMNS
    rows = tl.program_id(1) * DEEP + tl.arange(0, DEEP)
    columns = tl.arange(0, WIDE)
    inside = (rows < side)[:, None] & (columns < side)[None, :]
    plane = tl.load(entry).to(tl.pointer_type(tl.int32))
    height, width = tl.load(entry + 1), tl.load(entry + 2)
    left, top, right, bottom = tl.load(entry + 3), tl.load(entry + 4), tl.load(entry + 5), tl.load(entry + 6)
    y0, y1 = top + rows * (bottom - top) // side, top + tl.cdiv((rows + 1) * (bottom - top), side)
    x0, x1 = left + columns * (right - left) // side, left + tl.cdiv((columns + 1) * (right - left), side)
    target = crops + number * 3 * side * side + rows[:, None] * side + columns[None, :]
    for channel in range(3):
        values = _average(plane + channel * (height + 1) * (width + 1), width + 1, y0, y1, x0, x1, inside)
        tl.store(target + channel * side * side, values, mask=inside)


def _launch(kernel: Any, grid: tuple[int, ...], *arguments: Any) -> None:
    if 0 not in grid:
        kernel[grid](*arguments)


def _sent(table: NDArray[Any], device: torch.device) -> Tensor:
    # Kernels count on rows that lie end to end, which those of a part of a wider table do not.
    return torch.from_numpy(np.ascontiguousarray(table)).to(device, non_blocking=True)


def _located(images: Sequence[DeviceImage], table: NDArray[np.int64]) -> NDArray[np.int64]:
    """The table with the image's number in its first column replaced by address of its sums, height and width."""
    places = np.array([(image.integral.data_ptr(), image.height, image.width) for image in images], np.int64)
    return np.concatenate([places[table[:, 0]], table[:, 1:]], axis=1)


def integral_images(images: Sequence[DeviceImage]) -> list[Tensor]:
    """Their integral images, INT32 [3,H+1,W+1] each; two launches for all of them."""
    device = images[0].pixels.device
    sums = [torch.empty((3, i.height + 1, i.width + 1), dtype=torch.int32, device=device) for i in images]
    rows = []
    for image, into in zip(images, sums, strict=True):
        channel, row, column = image.pixels.stride()
        rows.append((image.pixels.data_ptr(), into.data_ptr(), image.height, image.width, row, column, channel))
    table = _sent(np.array(rows, np.int64), device)
    count, entries = table.shape
    _launch(_scan_rows, (max(i.height for i in images), count), table, entries, _SCAN_COLUMNS)
    deep, wide = _SCAN_BLOCK
    across = triton.cdiv(max(i.width for i in images) + 1, wide)
    _launch(_scan_columns, (across, 3, count), table, entries, deep, wide)
    return sums


def draw_tiles(images: Sequence[DeviceImage], table: NDArray[np.int64], tiles: Tensor) -> None:
    """Draws pieces of levels into `tiles` FP32 [T,3,h,w].

    table: [N,10]: the image's number, height and width of the level, the piece's top and left in the level, its height
    and width, its tile, its top and left there.
    """
    located = _sent(_located(images, table), tiles.device)
    count, entries = located.shape
    height, width = tiles.shape[2:]
    deep, wide = _DRAW_BLOCK
    blocks = triton.cdiv(height, deep) * triton.cdiv(width, wide)
    _launch(_draw, (blocks, count), located, tiles, height, width, entries, deep, wide)


def find_cells(
    table: NDArray[np.int64], thresholds: NDArray[np.float32], regression: Tensor, probability: Tensor
) -> Tensor:
    """Cells whose probability reaches their piece's threshold, in any order: INT32 [1+M,8], of which the first element
    is their number and rows from 1 on are theirs; `fetched` waits for them.

    A row is the number of the piece, row and column of the cell in the piece, then, as bits of FP32, score and four
    regressions.

    table: [N,5]: a piece's tile, rows and columns of cells, row and column of the first one in the tile.
    thresholds: [N]. regression: FP32 [T,4,h,w]. probability: FP32 [T,h,w].
    """
    device = probability.device
    height, width = probability.shape[1:]
    # Row 0 counts; no other is read before it is written.
    found = torch.empty((1 + int((table[:, 1] * table[:, 2]).sum()), 8), dtype=torch.int32, device=device)
    found[0] = 0
    count, entries = table.shape
    grid = (triton.cdiv(height * width, _CELLS_BLOCK), count)
    maps = (regression.contiguous(), probability.contiguous(), height, width)
    _launch(_find_cells, grid, _sent(table, device), _sent(thresholds, device), *maps, found, entries, _CELLS_BLOCK)
    return found


def fetched(found: Sequence[Tensor]) -> list[NDArray[np.int32]]:
    """The rows of several, INT32 [M,8] each, on the host: one wait for their numbers, one for all rows."""
    if not found:
        return []
    counts = torch.stack([part[0, 0] for part in found]).tolist()
    rows = torch.cat([part[1 : 1 + count] for part, count in zip(found, counts, strict=True)]).cpu().numpy()
    return np.split(rows, np.cumsum(counts)[:-1])


def cut_crops(images: Sequence[DeviceImage], table: NDArray[np.int64], crops: Tensor) -> None:
    """Fills `crops` FP32 [N,3,S,S] with windows of images.

    table: [N,5]: the image's number, then x1, y1, x2, y2 in pixels, end exclusive.
    """
    located = _sent(_located(images, table), crops.device)
    count, entries = located.shape
    side = crops.shape[-1]
    grid = (count, triton.cdiv(side, _CROP_ROWS))
    _launch(_crop, grid, located, crops, side, entries, _CROP_ROWS, triton.next_power_of_2(side))
