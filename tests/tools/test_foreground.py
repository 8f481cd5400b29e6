"""Signals and lines of a server in the foreground, in processes of their own."""

import signal
import subprocess
import sys

import pytest

from face_admin import foreground

STOPPING = """
import os, signal, sys
from face_admin.foreground import Stopped, stop_on_signals
signal.signal(signal.SIGHUP, signal.{before})
stop_on_signals()
try:
    os.kill(os.getpid(), signal.{sent})
    print("goes on")
except Stopped as stopped:
    print(signal.Signals(stopped.signal).name)
"""


def run(program, **options):
    return subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60, **options)


@pytest.mark.parametrize(
    ("before", "sent", "heard"),
    [
        ("SIG_DFL", "SIGHUP", "SIGHUP"),
        ("SIG_DFL", "SIGTERM", "SIGTERM"),
        ("SIG_IGN", "SIGTERM", "SIGTERM"),
        # `nohup faces serve &`
        ("SIG_IGN", "SIGHUP", "goes on"),
    ],
)
def test_signals(before, sent, heard):
    assert run(STOPPING.format(before=before, sent=sent)).stdout.strip() == heard


def test_nobody_reads_any_more():
    program = "import os\nfrom face_admin.foreground import tell\nos.close(2)\ntell('a line')\nprint('goes on')"
    assert run(program).stdout.strip() == "goes on"


def test_a_command_that_does_not_end_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr(foreground, "_COMMAND_SECONDS", 0.2)
    started = tmp_path / "started"
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    script = f"{ignore}; open({str(started)!r}, 'w'); time.sleep(60)"

    def watch(_has_ended):
        while not started.exists():
            pass
        raise foreground.Stopped(signal.SIGTERM)

    with pytest.raises(foreground.Stopped):
        foreground.run_command([sys.executable, "-c", script], "127.0.0.1:1", watch)
