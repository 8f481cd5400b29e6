"""`faces serve`: the embedded Triton in the foreground, or for as long as a command runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from face_admin import page
from face_admin.foreground import Stopped, run_command, stop_on_signals, tell
from face_client.options import URL_VARIABLE
from face_command.arguments import number, whole

if TYPE_CHECKING:
    from face_server import EmbeddedTriton
    from face_server.settings import ServerTls


Beside = Callable[[str, Callable[[Callable[[], bool]], None]], int]
"""`run_command` with a command: it is given the server's address and who watches over that."""

HELP = "start the embedded Triton server on this machine"

_EPILOG = f"""\
examples:
  faces serve                                    ports 8000 (HTTP), 8001 (gRPC) and 8002 (metrics)
  faces serve --grpc-port 0 --threads 2          any free gRPC port, two threads a network
  faces serve --any-ports --quiet -- faces detect photo.jpg
                                                 for as long as a command runs; {URL_VARIABLE} tells it where
  faces serve --host 0.0.0.0 --tls-cert server.pem --tls-key server.key --tls-ca clients.pem
                                                 encrypted, for clients with a certificate of your own
  faces serve --gallery people.gallery           with face_identification, for the people of a gallery
  faces serve --page                             with a page and a REST API at http://127.0.0.1:8080/
  faces serve --health-port 8003                 GET /health/ready there is 200 while faces are found

The models must have been exported: faces export. Ctrl-C or SIGTERM stops; requests in flight are answered.
A model's process that dies is replaced, and Triton is started again if it ends or stops answering. After 5 such starts
in 10 minutes, or 5 in a row that fail, `faces serve` gives up, with exit status 1.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from face_repository.layout import default_repository
    from face_runtime.settings import GALLERY_VARIABLE, TRACE_VARIABLE
    from face_server.settings import CHOICES, DEFAULT_PORTS, LONGEST_START, PORT_RANGE, RANGES, Settings

    parser.description = "Starts the real Triton server out of a Python package: no container, no GPU needed."
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("command", nargs="*", metavar="COMMAND", help="run this, then stop; give it after --")
    add("--repository", type=Path, default=default_repository(), help="model repository (default: %(default)s)")
    add("--host", default=Settings.host, help="address to listen on (default: %(default)s, this machine only)")
    add(
        "--http-host",
        metavar="ADDRESS",
        help="where HTTP listens, if elsewhere (default: as --host says; with --tls-cert this machine only)",
    )
    for name, port in zip(("http", "grpc", "metrics"), DEFAULT_PORTS, strict=True):
        add(
            f"--{name}-port",
            type=whole(*PORT_RANGE),
            default=port,
            metavar="PORT",
            help="default: %(default)s; 0 for any free one",
        )
    add("--any-ports", action="store_true", help="any three free ports")
    add("--threads", type=whole(*RANGES["threads"]), metavar="N", help="threads of each network (default: one a core)")
    add(
        "--networks",
        choices=CHOICES["networks"],
        help="run the networks as models of their own (bls), inside the cascade's process (local), or local where that "
        "can be (auto; the default of this and the next three, from the configuration of model mtcnn)",
    )
    add(
        "--engine",
        choices=CHOICES["engine"],
        help="keep images on the GPU (torch) or with the processor (numpy); auto: on the GPU where there is one",
    )
    add(
        "--decode",
        choices=CHOICES["decode"],
        help="decode JPEG on the GPU or with the processor (cpu); auto: by the GPU's own engine where it has one",
    )
    add(
        "--facenet-crops",
        choices=CHOICES["facenet_crops"],
        help="on a GPU: hand faces to FaceNet by way of the host, or leave them on the device (unmeasured)",
    )
    add(
        "--gallery",
        metavar="WHERE",
        help="know the people of this gallery, a file or postgresql://…: the model face_identification (default: "
        f"{GALLERY_VARIABLE}, else none; a password does not belong on a command line)",
    )
    add(
        "--random-weights",
        action="store_true",
        help="with a gallery: go on where FaceNet was never trained, and tells nobody apart; for tests",
    )
    add(
        "--start-timeout",
        type=number(high=LONGEST_START, above=0),
        default=Settings.start_timeout,
        metavar="S",
        help="seconds that Triton has for its start (default: %(default)g)",
    )
    add(
        "--verbose",
        type=whole(*RANGES["verbose"]),
        default=0,
        metavar="LEVEL",
        help="Triton's log level, 0 to 3 (default: 0)",
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--configuration",
        choices=CHOICES["configuration"],
        metavar="NAME",
        help=f"of the models: {', '.join(CHOICES['configuration'])} (as `make tune` found it to be fastest on this "
        "machine); default: embedded_gpu where there is a GPU, else embedded",
    )
    one.add_argument(
        "--bounded-queue",
        action="store_true",
        help="refuse requests when 8 wait, so that others are answered in time; made for a CPU, with two instances and "
        "batches of one; short for --configuration bounded",
    )
    add(
        "--health-port",
        type=whole(*PORT_RANGE),
        metavar="PORT",
        help="for load balancers: answer /health/ready and /health/live there, and /metrics of the supervisor; 0 for "
        "any free one (default: nowhere)",
    )
    add("--no-supervise", action="store_true", help="start Triton and leave it alone: no canaries, no restarts")
    add("--quiet", action="store_true", help="do not show Triton's log")
    add(
        "--log-format",
        choices=CHOICES["log_format"],
        help="json: each line of the log as an object, for collectors (default: TRITON_FACES_LOG_FORMAT, else text)",
    )
    add(
        "--trace",
        type=_collector,
        default=os.environ.get(TRACE_VARIABLE) or None,
        metavar="URL",
        help="send OpenTelemetry traces to this OTLP/HTTP collector, such as http://127.0.0.1:4318 (default: "
        f"{TRACE_VARIABLE}, else none)",
    )
    add(
        "--trace-rate",
        type=whole(*RANGES["trace_rate"]),
        default=Settings.trace_rate,
        metavar="N",
        help="trace one of N requests (default: %(default)s, all)",
    )
    page.add_arguments(parser)
    _add_tls(parser)


def _add_tls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("encryption of gRPC; HTTP has none")
    group.add_argument("--tls-cert", type=Path, metavar="PEM", help="the server's certificate")
    group.add_argument("--tls-key", type=Path, metavar="PEM", help="its private key (the certificate's own file)")
    group.add_argument(
        "--tls-ca", type=Path, metavar="PEM", help="let in only clients for whose certificates one of these vouches"
    )


def run(args: argparse.Namespace) -> int:
    from face_server import EmbeddedTriton, ServerError, Settings

    if args.no_supervise and args.health_port is not None:
        tell("faces serve: --health-port needs the supervisor: leave out --no-supervise")
        return 2
    if args.tls_cert is None and (args.tls_key or args.tls_ca):
        tell("faces serve: --tls-key and --tls-ca need --tls-cert")
        return 2
    ports = (0, 0, 0) if args.any_ports else (args.http_port, args.grpc_port, args.metrics_port)
    try:
        command = page.command_beside(args, os.environ)
        settings = Settings(
            host=args.host,
            http_host=args.http_host,
            http_port=ports[0],
            grpc_port=ports[1],
            metrics_port=ports[2],
            threads=args.threads,
            networks=args.networks,
            engine=args.engine,
            decode=args.decode,
            facenet_crops=args.facenet_crops,
            gallery=args.gallery,
            random_weights=args.random_weights,
            start_timeout=args.start_timeout,
            verbose=args.verbose,
            bounded_queue=args.bounded_queue,
            configuration=args.configuration,
            log_format=args.log_format,
            trace=args.trace,
            trace_rate=args.trace_rate,
            tls=_tls(args),
        )
    except ValueError as error:
        # What an option alone cannot tell: two that do not go together.
        tell(f"faces serve: {error}")
        return 2
    if args.health_port and args.health_port in ports:
        tell(f"faces serve: --health-port {args.health_port} is the port of another listener already")
        return 2
    from face_runtime.settings import GALLERY_VARIABLE

    where = args.gallery or os.environ.get(GALLERY_VARIABLE)
    if where and not _tell_of_gallery(where):
        return 2
    beside = partial(run_command, command, variables=page.variables_beside(args)) if command else None
    show = _print_json if settings.writes_json else tell
    stop_on_signals()
    triton = EmbeddedTriton(args.repository, settings, log=None if args.quiet else show)
    try:
        return _alone(triton, beside) if args.no_supervise else _supervised(triton, args, show, beside)
    except ServerError as error:
        tell(f"faces serve: {error}")
        return 1
    except Stopped as stopped:
        # Being stopped is what a server is for, and its page; a command that was cut short has not succeeded.
        return 128 + stopped.signal if args.command else 0


def _tell_of_gallery(where: str) -> bool:
    """Which it is and how many people it has; it is made where there is none. False: it cannot be used."""
    # Not at the top: an extra.
    from face_gallery.errors import GalleryUnavailable, GalleryUnfit
    from face_gallery.opening import open_store

    try:
        with open_store(where) as store:
            tell(f"gallery  {store.where}, people: {sum(store.collections().values()):,}")
    except GalleryUnavailable as error:
        # It may come while the server runs.
        tell(f"gallery  {error}")
    except GalleryUnfit as error:
        tell(f"faces serve: {error}")
        return False
    return True


def _supervised(
    triton: EmbeddedTriton, args: argparse.Namespace, show: Callable[[str], None], beside: Beside | None
) -> int:
    from face_server.ports import ipv4_address
    from face_server.supervision.health import Health, HealthServer
    from face_server.supervision.supervisor import Supervisor
    from face_server.supervision.watch import Patience

    patience = Patience()
    health = Health(good_for=patience.answer_counts)
    with ExitStack() as stack:
        health_url = ""
        if args.health_port is not None:
            server = stack.enter_context(closing(HealthServer(health, ipv4_address(args.host), args.health_port)))
            health_url = server.url
        supervisor = Supervisor(triton, health, lambda line: show(f"faces serve: {line}"), patience)
        stack.enter_context(supervisor)
        _announce(triton, health_url)
        if beside:
            return beside(triton.grpc_url, supervisor.run)
        supervisor.run(until=lambda: False)
    raise AssertionError("a supervisor without an end has ended")


def _alone(triton: EmbeddedTriton, beside: Beside | None) -> int:
    with triton:
        _announce(triton)
        if beside:
            return beside(triton.grpc_url, lambda _ended: None)
        status = triton.wait()
        tell(f"faces serve: Triton ended by itself with status {status}: {triton.failure_reason}")
        return 1


def _tls(args: argparse.Namespace) -> ServerTls | None:
    from face_server.settings import ServerTls

    if args.tls_cert is None:
        return None
    return ServerTls(args.tls_cert, args.tls_key or args.tls_cert, args.tls_ca)


def _collector(text: str) -> str:
    """An argument type: the address of an OTLP/HTTP collector."""
    from face_server.settings import is_collector

    if not is_collector(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not http://HOST:PORT, with or without a path")
    return text


def _print_json(line: str) -> None:
    from face_server.log import json_line

    if line:
        tell(json_line(line))


def _announce(triton: EmbeddedTriton, health_url: str = "") -> None:
    tell(f"gRPC     {triton.grpc_url}{', encrypted' if triton.settings.tls else ''}")
    tell(f"HTTP     {triton.http_url}")
    tell(f"metrics  {triton.metrics_url}")
    if health_url:
        tell(f"health   {health_url}/health/ready")
    tell(f"models   {', '.join(triton.models)}")
    if triton.missing_models:
        tell(f"absent   {', '.join(triton.missing_models)}")
    for note in triton.notes:
        tell(f"note     {note}")
    tell("ready")
