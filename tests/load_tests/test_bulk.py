"""The pictures of `make bulk`, and what is made of a run."""

import json
from dataclasses import replace

import pytest

from face_bench import bulk
from face_bench.output import to_json
from face_client import InvalidImage, decode_image
from tests.load_tests.conftest import machine, sweep_step


def test_pictures_are_the_same_each_time_and_one_in_a_hundred_is_broken(tmp_path):
    for name in ("a", "b"):
        bulk.make_pictures(tmp_path / name, 150, (64, 48), None)
    first, second = (sorted((tmp_path / name).rglob("*.*")) for name in ("a", "b"))
    assert [file.name for file in first] == [file.name for file in second]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    broken = []
    for file in first:
        try:
            assert decode_image(file.read_bytes()).shape == (48, 64, 3)
        except InvalidImage:
            broken.append(int(file.stem))
    assert broken == [37, 137]
    assert {file.suffix for file in first} == {".jpg", ".png", ".webp", ".bmp"}


def test_the_report(tmp_path):
    steps = [replace(sweep_step(clients, {}), images_per_second=50.0 + clients) for clients in bulk._CLIENTS]
    memory = [bulk.Memory(float(second), 900_000_000, (300_000_000, 310_000_000)) for second in range(5)]
    report = bulk.Report(machine(), 1000, (640, 480), steps, steps, 20.0, 80.0, "1,000 pictures", memory)
    assert report.served == pytest.approx(82)
    table = bulk._table(report)
    assert ("faces batch", "80.0", "") in table.rows
    assert ("with its start", "50.0", "") in table.rows
    assert table.notes[0] == "faces batch is 0.98 of the server's best"
    assert "900 MB" in table.notes[-1]
    assert json.loads(to_json(report))["memory"][0]["workers"] == [300_000_000, 310_000_000]
    bulk.picture([bulk._draw_memory], report, report.machine, tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 10_000
