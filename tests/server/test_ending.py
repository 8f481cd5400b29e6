"""How a server is ended, with its launcher or by it, and what killed ones leave behind. Scripts stand for servers."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from face_server import ending
from face_server.ending import PREFIX, Workplace, remove_leftovers, without_orphans
from face_server.log import LogReader

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


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where servers have their directories."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def regions():
    """region(directory): shared memory that belongs to it, as the Python backend names it."""
    made = []

    def region(directory):
        made.append(Path("/dev/shm", f"{directory.name}_{len(made)}"))
        made[-1].write_bytes(b"x")
        return made[-1]

    yield region
    for path in made:
        path.unlink(missing_ok=True)


def test_a_server_that_stops_takes_all_along(temporary, regions):
    workplace = Workplace.make()
    region = regions(workplace.path)
    workplace.remove()
    assert not region.exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("temporary")
def test_somebody_else_has_removed_it_already(regions):
    workplace = Workplace.make()
    region = regions(workplace.path)
    shutil.rmtree(workplace.path)
    workplace.remove()
    assert not region.exists()


def test_a_server_that_lives_is_left_alone(temporary, regions):
    workplace = Workplace.make()
    region = regions(workplace.path)
    assert remove_leftovers() == []
    assert region.exists()
    assert [path.name for path in temporary.iterdir()] == [workplace.path.name]
    workplace.remove()


def test_the_next_one_removes_what_a_killed_one_left(temporary, regions):
    killed = Workplace.make()
    region = regions(killed.path)
    # As the system does for a process that ends, whatever ends it.
    killed.lock.close()
    following = Workplace.make()
    assert not region.exists()
    assert list(temporary.iterdir()) == [following.path]
    following.remove()


def test_a_server_lives_as_long_as_any_of_its_processes(temporary):
    """They inherit the lock."""
    workplace = Workplace.make()
    inherited = os.dup(workplace.lock.fileno())
    workplace.lock.close()
    assert remove_leftovers() == []
    os.close(inherited)
    assert remove_leftovers() == [workplace.path]
    assert list(temporary.iterdir()) == []


def test_other_directories_are_none_of_ours(temporary):
    (temporary / f"{PREFIX}without-a-lock").mkdir()
    (temporary / "other").mkdir()
    (temporary / "other" / "lock").touch()
    assert remove_leftovers() == []
    assert len(list(temporary.iterdir())) == 2


def test_a_lock_is_never_seen_unlocked(temporary):
    workplace = Workplace.make()
    with (workplace.path / "lock").open("r+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    workplace.remove()
    assert list(temporary.iterdir()) == []


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


def test_whether_it_has_ended_takes_no_lock_that_a_signal_could_leave_taken(start):
    process, _ = start(_OBEYS)
    with process._waitpid_lock:
        assert not ending.has_ended(process)
        process.kill()
        while not ending.has_ended(process):
            time.sleep(0.01)
    assert process.wait() == -signal.SIGKILL
    assert ending.has_ended(process)


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


@pytest.mark.slow
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
