"""A server in the foreground of a terminal: until a signal, or for as long as a command runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

from face_client.options import URL_VARIABLE

# So long a command may take to end when the server is stopped.
_COMMAND_SECONDS = 10

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked to stop. Like KeyboardInterrupt not an Exception: nothing on the way should handle it."""

    def __init__(self, number: int) -> None:
        self.signal = number


def stop_on_signals() -> None:
    """From now on a signal to stop raises Stopped, once. Under `nohup` the end of the terminal is none."""
    for number in _STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    # Stopping takes its time; further signals must not leave it half done.
    for other in _STOPPING:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def run_command(
    command: list[str],
    grpc_url: str,
    watch: Callable[[Callable[[], bool]], None],
    variables: Mapping[str, str] | None = None,
) -> int:
    """Runs a command that is told the server's address; returns its exit status, as a shell would have it.

    watch: is called with a function that says whether the command has ended, and returns when it has.
    variables: of the environment, beside those of this process.
    """
    environment = {
        **os.environ,
        **(variables or {}),
        URL_VARIABLE: grpc_url,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        tell(f"faces serve: cannot run {command[0]}: {error.strerror}")
        return 127
    try:
        watch(lambda: process.poll() is not None)
        status = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    return status if status >= 0 else 128 - status


def tell(line: str) -> None:
    """A line to the person at the terminal; who is gone must not keep the server from being looked after."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
