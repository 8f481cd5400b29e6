"""A command that ends with the process that started it."""

import subprocess
import sys
import threading
import time

import psutil
import pytest

from face_server.ending import without_orphans

_START = """
import subprocess, time
from face_server.ending import without_orphans
print(subprocess.Popen(without_orphans(["sleep", "600"])).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [subprocess.Popen.kill, subprocess.Popen.terminate])
def test_the_command_ends_when_its_launcher_is_ended(end):
    with subprocess.Popen([sys.executable, "-c", _START], stdout=subprocess.PIPE, text=True) as launcher:
        command = psutil.Process(int(launcher.stdout.readline()))
        while command.name() != "sleep":
            time.sleep(0.005)
        end(launcher)
    give_up = time.monotonic() + 60
    # Who adopts it may take its time to collect it.
    while command.is_running() and command.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_what_a_thread_starts_is_left_alone():
    """It would end with the thread."""
    commands = []
    thread = threading.Thread(target=lambda: commands.append(without_orphans(["sleep", "1"])))
    thread.start()
    thread.join()
    assert commands == [["sleep", "1"]]


def test_a_machine_without_setpriv(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert without_orphans(["sleep", "1"]) == ["sleep", "1"]
