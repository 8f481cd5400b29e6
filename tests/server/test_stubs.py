"""Deaths of the processes that run Triton's models. This process stands for the server; its children are real."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from face_server.supervision.stubs import StubWatch

_SCRIPT = "import sys, time\nwhile 'busy' in sys.argv: pass\ntime.sleep(600)\n"


@pytest.fixture
def start(tmp_path):
    """start(model, instance, *more): a process with a stub's command line."""
    started = []

    def start_stub(model, instance, *more):
        script = tmp_path / model / "1" / "model.py"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(_SCRIPT)
        words = [
            "backends/python/triton_python_backend_stub",
            script,
            "prefix",
            "1",
            "2",
            "3",
            "backends",
            "h",
            instance,
        ]
        started.append(subprocess.Popen([*words, "python", *more], executable=sys.executable))
        # Until it has its own command line.
        while str(script) not in psutil.Process(started[-1].pid).cmdline():
            time.sleep(0.005)
        return started[-1]

    yield start_stub
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def watch():
    made = []

    def watch_stubs():
        made.append(StubWatch(os.getpid()))
        return made[-1]

    yield watch_stubs
    for one in made:
        one.close()


def names(stubs):
    return sorted((stub.model, stub.instance) for stub in stubs)


def test_finds_stubs_and_nothing_else(start, watch):
    start("mtcnn", "mtcnn_0_0")
    start("pnet", "pnet_0_0")
    with subprocess.Popen(["sleep", "600"]) as other:
        watching = watch()
        other.kill()
        assert names(watching.alive) == [("mtcnn", "mtcnn_0_0"), ("pnet", "pnet_0_0")]
        start("rnet", "rnet_0_0")
        assert watching.wait(0.01) == []
        assert ("rnet", "rnet_0_0") in names(watching.alive)


def test_one_that_died_before_anybody_watched(tmp_path, watch):
    """A zombie has no command line any more, only the name of its executable."""
    executable = tmp_path / "triton_python_backend_stub"
    executable.symlink_to(Path(sys.executable).resolve())
    with subprocess.Popen([executable, "-c", "import time; time.sleep(600)"]) as stub:
        assert not watch().died_unseen()
        stub.kill()
        deadline = time.monotonic() + 60
        while psutil.Process(stub.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        watching = watch()
        assert watching.alive == []
        assert watching.wait(0.01) == []
        assert watching.died_unseen()


def test_a_death_is_told_at_once_and_once(start, watch):
    killed, _ = start("mtcnn", "mtcnn_0_0"), start("mtcnn", "mtcnn_1_0")
    watching = watch()
    threading.Timer(0.2, killed.kill).start()
    assert names(watching.wait(600)) == [("mtcnn", "mtcnn_0_0")]
    assert watching.wait(0.05) == []
    assert names(watching.alive) == [("mtcnn", "mtcnn_1_0")]


def test_those_that_die_together_are_told_together(start, watch):
    first, second = start("mtcnn", "mtcnn_0_0"), start("mtcnn", "mtcnn_1_0")
    watching = watch()
    threading.Timer(0.1, first.kill).start()
    threading.Timer(0.15, second.kill).start()
    assert names(watching.wait(600)) == [("mtcnn", "mtcnn_0_0"), ("mtcnn", "mtcnn_1_0")]


def test_what_triton_ends_on_purpose_is_no_death(start, watch):
    """It collects its process at once."""
    ended = start("mtcnn", "mtcnn_0_0")
    watching = watch()
    collector = threading.Thread(target=ended.wait)
    collector.start()
    ended.terminate()
    assert watching.wait(600) == []
    collector.join()
    assert watching.alive == []


def test_processor_seconds(start, watch):
    start("mtcnn", "mtcnn_0_0", "busy")
    watching = watch()
    before, give_up = watching.computed_seconds(), time.monotonic() + 60
    while watching.computed_seconds() < before + 0.1:
        assert time.monotonic() < give_up
        time.sleep(0.01)
