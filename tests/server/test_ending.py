"""How a server is ended: scripts stand for it."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from face_server import ending
from face_server.log import LogReader

_DRAINED = "All models are stopped, unloading models"

_OBEYS = "import time; print('ready', flush=True); time.sleep(600)"
_STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
_UNLOADS = f"""
import signal, sys, time

def stop(*_):
    print("{_DRAINED}", flush=True)
    end = time.process_time() + float(sys.argv[1])
    while time.process_time() < end:
        pass
    if sys.argv[2] == "end":
        sys.exit(0)

signal.signal(15, stop)
print("ready", flush=True)
while True:
    time.sleep(600)
"""


@pytest.fixture
def start():
    """start(script, *arguments): (process, log) when it is ready, in a group of its own as the server is."""
    started = []

    def start_script(script, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process, LogReader(process.stdout, None)

    yield start_script
    for process in started:
        process.kill()
        process.wait()


def test_one_that_obeys(start):
    process, log = start(_OBEYS)
    ending.end(process, log, 600)
    assert process.returncode == -signal.SIGTERM


def test_one_that_does_not_end_in_its_grace(start):
    process, log = start(_STUBBORN)
    ending.end(process, log, 0.3)
    assert process.returncode == -signal.SIGKILL


def test_one_that_has_nothing_left_to_do_and_does_not_end(start, monkeypatch):
    monkeypatch.setattr(ending, "_IDLE_SECONDS", 0.5)
    process, log = start(_UNLOADS, 0, "stay")
    ending.end(process, log, 600)
    assert process.returncode == -signal.SIGKILL


def test_one_that_is_at_work_on_answers_is_left_to_it(start, monkeypatch):
    monkeypatch.setattr(ending, "_IDLE_SECONDS", 1.0)
    process, log = start(_UNLOADS, 2, "end")
    ending.end(process, log, 600)
    assert process.returncode == 0


def test_one_that_was_killed_leaves_nobody_of_its_group(start):
    process, log = start(
        "import subprocess, time; subprocess.Popen(['sleep', '600']); print('ready', flush=True); time.sleep(600)"
    )
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    ending.end(process, log, 600)
    give_up = time.monotonic() + 60
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up
        time.sleep(0.01)
