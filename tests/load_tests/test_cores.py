"""The simulation of more cores: how parts are dealt out, and one run of it."""

import random

import pytest

from face_bench import cores
from face_bench.cores import Pass, Stage, makespan


def slow_makespan(parts, workers):
    """By looking at all clocks for each part."""
    clocks = [0.0] * workers
    for part in parts:
        first = clocks.index(min(clocks))
        clocks[first] += part
    return max(clocks)


def test_parts_go_to_whoever_is_free():
    assert makespan([], 3) == 0
    assert makespan([5], 3) == 5
    assert makespan([3, 3, 2, 2, 2], 2) == 7
    dice = random.Random(1)
    for _ in range(200):
        parts = [dice.randrange(1, 50) for _ in range(dice.randrange(30))]
        workers = dice.randrange(1, 9)
        assert makespan(parts, workers) == slow_makespan(parts, workers)
        assert max(parts, default=0) <= makespan(parts, workers) <= sum(parts)
        assert makespan(parts, 1) == sum(parts)


def test_what_one_thread_does_stays_whoever_else_there_is():
    one = Pass((Stage("integral", (3.0,)), Stage("pnet", (4.0, 4.0, 2.0, 2.0))), between=1.0, kernels=14.0)
    assert one.work == one.on(1) == 16
    assert one.on(2) == 1 + 3 + 6
    assert one.on(99) == 1 + 3 + 4
    assert one.alone == 4


@pytest.mark.slow
def test_the_whole(capsys):
    assert cores.main(["--rounds", "1"]) == 0
    shown = capsys.readouterr().out
    for size in ("1920x1080", "1280x720", "960x540"):
        assert size in shown
