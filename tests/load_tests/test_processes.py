"""What a server holds, tried on processes of our own."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from face_bench.processes import server_state

MEGABYTES = 32

HOLDS = f"""
import mmap, subprocess, sys
file = open("/dev/shm/" + sys.argv[1], "w+b")
file.truncate({MEGABYTES << 20})
shared = mmap.mmap(file.fileno(), 0)
shared[: {MEGABYTES << 19}] = bytes([1]) * {MEGABYTES << 19}
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(name):
    """A process with a child, and with shared memory of which half was written."""
    command = [sys.executable, "-c", HOLDS, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.stdin.close()


def test_all_processes_their_files_and_what_they_share(tmp_path):
    name = f"test_server_processes_{tmp_path.name}"
    try:
        with holding(name) as process:
            state = server_state(process.pid)
            open_files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
    finally:
        Path("/dev/shm", name).unlink(missing_ok=True)
    assert len(state.processes) == 2
    first = state.processes[0]
    assert first.pid == process.pid
    assert first.open_files == open_files
    assert first.rss > first.pss > MEGABYTES << 19
    assert state.rss == sum(use.rss for use in state.processes)
    # What nobody has written takes no memory.
    assert MEGABYTES << 19 <= state.shared_memory < MEGABYTES << 20
    assert state.shared_memory == MEGABYTES << 19


def test_a_process_that_is_gone_holds_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    state = server_state(process.pid)
    assert (state.processes, state.shared_memory, state.open_files, state.pss) == ((), 0, 0, 0)
