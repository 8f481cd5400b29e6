"""For how many rows passes of a network are recorded. The recording itself needs a GPU."""

import pytest

from face_runtime.device.graphs import sizes_up_to


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [
        (2048, [32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048]),
        (512, [32, 64, 128, 192, 256, 320, 384, 448, 512]),
        (256, [32, 64, 96, 128, 160, 192, 224, 256]),
    ],
)
def test_sizes_double_and_then_grow_by_eighths(largest, sizes):
    assert sizes_up_to(largest) == sizes
