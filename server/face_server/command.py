"""`faces serve`: the embedded Triton in the foreground, or for as long as a command runs."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from face_client.defaults import URL_VARIABLE

if TYPE_CHECKING:
    from face_server import EmbeddedTriton

HELP = "start the embedded Triton server on this machine"

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_EPILOG = f"""\
examples:
  faces serve                                    ports 8000 (HTTP), 8001 (gRPC) and 8002 (metrics)
  faces serve --grpc-port 0 --threads 2          any free gRPC port, two threads a network
  faces serve --any-ports --quiet -- faces detect photo.jpg
                                                 for as long as a command runs; {URL_VARIABLE} tells it where

The models must have been exported: faces export. Ctrl-C or SIGTERM stops; requests in flight are answered.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from face_server.options import DEFAULT_PORTS, Settings
    from face_server.repository import default_repository

    parser.description = "Starts the real Triton server out of a Python package: no container, no GPU needed."
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("command", nargs="*", metavar="COMMAND", help="run this, then stop; give it after --")
    add("--repository", type=Path, default=default_repository(), help="model repository (default: %(default)s)")
    add("--host", default=Settings.host, help="address to listen on (default: %(default)s, this machine only)")
    for name, port in zip(("http", "grpc", "metrics"), DEFAULT_PORTS, strict=True):
        add(
            f"--{name}-port",
            type=_whole(0, 65535),
            default=port,
            metavar="PORT",
            help="default: %(default)s; 0 for any free one",
        )
    add("--any-ports", action="store_true", help="any three free ports")
    add("--threads", type=_whole(1, 1024), metavar="N", help="threads of each network (default: one a core)")
    add(
        "--networks",
        choices=("auto", "bls", "local"),
        help="run the networks as models of their own (bls), inside the cascade's process (local), or local on a "
        "CPU and bls on a GPU (auto; the default, from the configuration of model mtcnn)",
    )
    add(
        "--start-timeout",
        type=float,
        default=Settings.start_timeout,
        metavar="S",
        help="default: %(default)g",
    )
    add("--verbose", type=_whole(0, 9), default=0, metavar="LEVEL", help="Triton's log level, 0 to 3 (default: 0)")
    add("--bounded-queue", action="store_true", help="refuse requests when 128 wait, as in production; slower here")
    add("--quiet", action="store_true", help="do not show Triton's log")


def run(args: argparse.Namespace) -> int:
    from face_server import EmbeddedTriton, ServerError, Settings

    ports = (0, 0, 0) if args.any_ports else (args.http_port, args.grpc_port, args.metrics_port)
    settings = Settings(
        host=args.host,
        http_port=ports[0],
        grpc_port=ports[1],
        metrics_port=ports[2],
        threads=args.threads,
        networks=args.networks,
        start_timeout=args.start_timeout,
        verbose=args.verbose,
        bounded_queue=args.bounded_queue,
    )
    for number in _STOPPING:
        signal.signal(number, _stop)
    try:
        with EmbeddedTriton(args.repository, settings, log=None if args.quiet else _print) as triton:
            _announce(triton)
            return _run_command(triton, args.command) if args.command else _wait(triton)
    except ServerError as error:
        _print(f"faces serve: {error}")
        return 1
    except _Stopped as stopped:
        # Being stopped is what a server is for; a command that was cut short has not succeeded.
        return 128 + stopped.signal if args.command else 0


def _wait(triton: EmbeddedTriton) -> int:
    status = triton.wait()
    _print(f"faces serve: Triton ended by itself with status {status}:\n{triton.failure_reason}")
    return 1


def _run_command(triton: EmbeddedTriton, command: list[str]) -> int:
    """The command's exit status."""
    environment = {
        **os.environ,
        URL_VARIABLE: triton.grpc_url,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        _print(f"faces serve: cannot run {command[0]}: {error.strerror}")
        return 127
    try:
        status = process.wait()
    except _Stopped:
        process.terminate()
        process.wait()
        raise
    return status if status >= 0 else 128 - status


class _Stopped(BaseException):
    """A signal asked to stop. Like KeyboardInterrupt not an Exception: nothing on the way should handle it."""

    def __init__(self, number: int) -> None:
        self.signal = number


def _stop(number: int, _frame: FrameType | None) -> None:
    """Ends the `with` block. Stopping takes its time; further signals must not leave it half done."""
    for other in _STOPPING:
        signal.signal(other, signal.SIG_IGN)
    raise _Stopped(number)


def _whole(low: int, high: int) -> Callable[[str], int]:
    """An argument type: a whole number from low to high."""

    def number(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {low} to {high}")
        return int(text)

    return number


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _announce(triton: EmbeddedTriton) -> None:
    _print(f"gRPC     {triton.grpc_url}")
    _print(f"HTTP     {triton.http_url}")
    _print(f"metrics  {triton.metrics_url}")
    _print(f"models   {', '.join(triton.models)}")
    if triton.missing_models:
        _print(f"absent   {', '.join(triton.missing_models)}")
    for note in triton.notes:
        _print(f"note     {note}")
    _print("ready")
