"""Ends a tritonserver: what it has accepted is answered first, and nothing of it stays."""

import os
import signal
import subprocess
import time

import psutil

from face_server.log import LogReader

_POLL_SECONDS = 0.1

# What Triton's log says when it counts no more requests in flight. What its models have taken is still answered.
_DRAINED = "All models are stopped, unloading models"

# Triton 2.51 waits in vain for a model of which a process was killed. Processor seconds of a server that is at work on
# answers, even where many others share the machine: more than so many in so many on the clock.
_AT_WORK, _IDLE_SECONDS = 0.1, 5.0


def end(process: subprocess.Popen[str], log: LogReader, grace: float) -> None:
    """Returns when the server and its stubs are gone; one that has ended already may have left stubs.

    grace: after so many seconds the server is killed; sooner where it has nothing left to do and does not end.
    """
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        if not _ends(process, log, grace):
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ends(process: subprocess.Popen[str], log: LogReader, grace: float) -> bool:
    deadline, at_work, computed = time.monotonic() + grace, time.monotonic(), 0.0
    while time.monotonic() < deadline:
        try:
            process.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return True
        now = _computed(process.pid)
        if not log.says(_DRAINED) or abs(now - computed) > _AT_WORK:
            at_work, computed = time.monotonic(), now
        elif time.monotonic() - at_work > _IDLE_SECONDS:
            return False
    return False


def _computed(server: int) -> float:
    """Processor seconds of the server and its stubs; falls when a stub ends."""
    total = 0.0
    try:
        for process in (psutil.Process(server), *psutil.Process(server).children()):
            times = process.cpu_times()
            total += times.user + times.system
    except psutil.NoSuchProcess:
        # One ended just now, which is a change as well.
        return -1.0
    return total
