"""`faces serve`: the embedded Triton in the foreground."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

HELP = "start the embedded Triton server on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from face_server.options import DEFAULT_PORTS, Settings

    parser.description = (
        "Starts the real Triton server out of a Python package, without a container, and serves until Ctrl-C. "
        "Export the networks first: faces export."
    )
    parser.epilog = "example: faces serve --grpc-port 8001 --threads 2"
    http, grpc, metrics = DEFAULT_PORTS
    parser.add_argument(
        "--repository", type=Path, default=None, help="model repository (default: ./model_repository)"
    )
    parser.add_argument(
        "--host", default=Settings.host, help="address to listen on (default: %(default)s, this machine only)"
    )
    parser.add_argument("--http-port", type=int, default=http, help="default: %(default)s, 0 for any free one")
    parser.add_argument("--grpc-port", type=int, default=grpc, help="default: %(default)s, 0 for any free one")
    parser.add_argument(
        "--metrics-port", type=int, default=metrics, help="default: %(default)s, 0 for any free one"
    )
    parser.add_argument("--threads", type=int, help="threads of each network (default: one a core)")
    parser.add_argument(
        "--networks",
        choices=("auto", "bls", "local"),
        help="run the networks as models of their own (bls) or inside the cascade's process (local)",
    )
    parser.add_argument(
        "--start-timeout", type=float, default=Settings.start_timeout, help="seconds (default: %(default)g)"
    )
    parser.add_argument("--verbose", type=int, default=0, metavar="LEVEL", help="Triton's log level, 0 to 3")


def run(args: argparse.Namespace) -> int:
    from face_server import EmbeddedTriton, ServerError, Settings

    settings = Settings(
        host=args.host,
        http_port=args.http_port,
        grpc_port=args.grpc_port,
        metrics_port=args.metrics_port,
        threads=args.threads,
        networks=args.networks,
        start_timeout=args.start_timeout,
        verbose=args.verbose,
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with EmbeddedTriton(args.repository or Path("model_repository"), settings, log=_print) as triton:
            _announce(triton)
            status = triton.wait()
            print(f"faces serve: Triton ended with status {status}", file=sys.stderr)
            return 1
    except ServerError as error:
        print(f"faces serve: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """SIGTERM ends the `with` block just as Ctrl-C does."""
    raise KeyboardInterrupt


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _announce(triton: "EmbeddedTriton") -> None:  # noqa: F821
    print(f"gRPC     {triton.grpc_url}", f"HTTP     {triton.http_url}", sep="\n")
    print(f"metrics  {triton.metrics_url}", f"models   {', '.join(triton.models)}", sep="\n")
    if triton.missing_models:
        print(f"absent   {', '.join(triton.missing_models)}: recognition needs `faces export --facenet …`")
    print("ready; Ctrl-C stops", flush=True)
