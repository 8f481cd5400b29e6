"""One run at a time on a target."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from face_batch.errors import TargetRefused
from face_batch.holding import Held
from face_batch.manifest import Target

HOLD = """
import sys, time
from face_batch.holding import Held
from face_batch.manifest import Target
with Held(Target.at(sys.argv[1]), beat_s=0.1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the target."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def state(folder):
    return folder / "_faces" / "holder.json"


def told(folder):
    return json.loads(state(folder).read_text())


def test_a_second_run_is_refused(holder, tmp_path):
    with pytest.raises(TargetRefused, match=f"process {holder.pid} "), Held(Target.at(str(tmp_path))):
        pass
    assert told(tmp_path)["process"] == holder.pid


def test_the_holder_was_killed(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    start = time.monotonic()
    with Held(Target.at(str(tmp_path))):
        assert told(tmp_path)["process"] == os.getpid()
    # Nobody waits for beats where the process can be looked for.
    assert time.monotonic() - start < 1
    assert not state(tmp_path).exists()


def elsewhere(folder):
    """As if the holder were on another machine."""
    state(folder).write_text(json.dumps({**told(folder), "host": "elsewhere/1/2"}))


@pytest.mark.usefixtures("holder")
def test_a_holder_elsewhere_that_beats(tmp_path):
    # Its next beat is seen: the file changes.
    elsewhere(tmp_path)
    with pytest.raises(TargetRefused), Held(Target.at(str(tmp_path))):
        pass


def test_a_holder_elsewhere_that_does_not(holder, tmp_path):
    holder.kill()
    holder.wait()
    elsewhere(tmp_path)
    with Held(Target.at(str(tmp_path))):
        assert told(tmp_path)["process"] == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_file_that_was_cut_off(text, tmp_path):
    state(tmp_path).parent.mkdir()
    state(tmp_path).write_text(text)
    with Held(Target.at(str(tmp_path))):
        assert told(tmp_path)["process"] == os.getpid()


def test_it_beats(tmp_path):
    with Held(Target.at(str(tmp_path)), beat_s=0.02):
        first = told(tmp_path)
        deadline = time.monotonic() + 5
        while told(tmp_path) == first and time.monotonic() < deadline:
            time.sleep(0.02)
        assert told(tmp_path)["beats"] > first["beats"]
