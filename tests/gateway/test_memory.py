"""What is free stays with the process, up to a limit."""

import subprocess
import sys

import pytest

# Page faults of ten turns in which blocks of a megabyte are taken together, and freed.
_FAULTS = """
import resource, sys
from face_gateway.memory import keep_memory
blocks, keeps = map(int, sys.argv[1:])
if keeps:
    keep_memory()
for turn in range(11):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [bytearray(2**20) for _ in range(blocks)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(blocks, keeps):
    done = subprocess.run([sys.executable, "-c", _FAULTS, str(blocks), str(keeps)], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_blocks_of_a_photo_are_kept_and_many_are_given_back():
    pages = 10 * 256
    assert faults(10, keeps=0) > 8 * pages
    assert faults(10, keeps=1) < pages
    assert faults(40, keeps=1) > 8 * pages
