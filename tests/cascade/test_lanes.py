"""The kernels in vectors of the other length than this processor's."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_kernels_of_the_other_kind_of_processor():
    tests = [HERE / "test_area.py", HERE / "test_crops.py", HERE / "compiled"]
    command = [sys.executable, "-m", "tests.cascade.other_lanes", "-q", "-m", "not slow", *tests]
    ended = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
