"""`faces page`: the page and the REST API, in the foreground."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from face_client.errors import FaceError, InvalidInput
from face_client.tls import Tls
from face_command.arguments import readable_file, whole
from face_gateway.settings import DEFAULT_PORT, LOOPBACK, Limits, Settings, is_loopback
from face_tools.connection import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, add_connection, tls_from

if TYPE_CHECKING:
    from face_gateway.serving import Options

HELP = "serve a page and a REST API for browsers and programs"

KEYS_VARIABLE = "TRITON_FACES_KEYS"
GALLERY_VARIABLE = "TRITON_FACES_GALLERY"

_EPILOG = f"""\
examples:
  faces page                                    http://127.0.0.1:{DEFAULT_PORT}/ for the server at 127.0.0.1:8001
  faces page --open sample                      … and opens it in the browser, with a sample photo
  faces serve --page                            server and page together
  faces page --gallery people.gallery           people can be enrolled, named and forgotten
  faces page --new-key camera-7 --keys keys     adds a key to the file `keys`, and prints it once
  faces page --host 0.0.0.0 --keys keys         for other machines, with a key

The page is at /, the REST API under /v1, its documentation at /docs, OpenAPI's description at /openapi.json,
/health/ready and /metrics for those who run it.

A line of the file of keys: NAME sha256:… [rate=REQUESTS A SECOND] [burst=N] [may=faces,identify,enrol]. It is read
again when it changes.

exit status: 0 it was stopped, 1 it could not start, 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces page`."""
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("--host", default=LOOPBACK, help="address to listen on (default: %(default)s, this machine only)")
    add("--port", type=whole(0, 65535), default=DEFAULT_PORT, help="default: %(default)s; 0 for any free one")
    add(
        "--open",
        nargs="?",
        const="",
        choices=("", "sample"),
        metavar="sample",
        help="open the page in a browser; `--open sample`: with a sample photo",
    )
    add("--https-cert", type=readable_file, metavar="PEM", help="serve HTTPS, with this certificate")
    add("--https-key", type=readable_file, metavar="PEM", help="its private key (the certificate's own file)")
    add(
        "--log-format",
        choices=("text", "json", "none"),
        default=os.environ.get("TRITON_FACES_LOG_FORMAT") or "text",
        help="of a line for each request on stderr (default: TRITON_FACES_LOG_FORMAT, else text)",
    )
    add("--trace", metavar="URL", help="send OpenTelemetry spans to this OTLP/HTTP collector (default: none)")
    _add_people(parser)
    _add_safety(parser)
    add_connection(parser)


def _add_people(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("people")
    group.add_argument(
        "--gallery",
        default=os.environ.get(GALLERY_VARIABLE) or None,
        metavar="WHERE",
        help="enrol, name and forget the people of this gallery, a file or postgresql://… (default: "
        f"{GALLERY_VARIABLE}, else none)",
    )
    group.add_argument(
        "--served",
        action="store_true",
        help="the server says the names, which was started with a gallery; with --gallery the same one",
    )
    group.add_argument(
        "--random-weights",
        action="store_true",
        help="go on where FaceNet was never trained, and tells nobody apart; for tests",
    )


def _add_safety(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who may ask, and how much")
    group.add_argument(
        "--keys",
        type=Path,
        default=Path(os.environ[KEYS_VARIABLE]) if os.environ.get(KEYS_VARIABLE) else None,
        metavar="FILE",
        help=f"ask for an API key of this file (default: {KEYS_VARIABLE}, else none is asked for)",
    )
    group.add_argument("--new-key", metavar="NAME", help="add a key to the file of --keys, print it, and end")
    group.add_argument("--without-keys", action="store_true", help="listen beyond this machine with no key asked for")
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which browsers call it, beside localhost; may be repeated",
    )
    group.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="pages of this site may ask too, such as https://example.org (CORS); may be repeated",
    )
    defaults = Limits()
    for name, default, text in (
        ("max-body", defaults.body_bytes, "bytes of one request"),
        ("max-images", defaults.images, "pictures of one request"),
        ("max-pixels", defaults.pixels, "pixels of one request, all its pictures together"),
        ("max-in-flight", defaults.in_flight, "requests answered at a time; more are refused with 429"),
        ("max-held", defaults.held_bytes, "bytes of all bodies at a time; more are refused with 429"),
    ):
        group.add_argument(f"--{name}", type=whole(1), default=default, metavar="N", help=f"{text} (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; returns the exit status."""
    try:
        if args.new_key is not None:
            return _new_key(args)
        # Not at the top: FastAPI takes longer to import than `--help` to answer.
        from face_gateway.serving import serve

        return serve(_settings(args), _options(args))
    except InvalidInput as error:
        return _failed(error, EXIT_USAGE)
    except (FaceError, OSError, ImportError) as error:
        return _failed(error, EXIT_SOME_FAILED)


def _failed(error: Exception, status: int) -> int:
    print(f"faces page: {error}", file=sys.stderr)
    return status


def _new_key(args: argparse.Namespace) -> int:
    from face_gateway.keys import add_key

    if args.keys is None:
        raise InvalidInput("--new-key needs --keys FILE")
    print(add_key(args.keys, args.new_key))
    print(f"added to {args.keys}; the key itself is kept nowhere", file=sys.stderr)
    return EXIT_OK


def _settings(args: argparse.Namespace) -> Settings:
    """Raises InvalidInput for what does not go together."""
    if not is_loopback(args.host) and args.keys is None and not args.without_keys:
        raise InvalidInput(
            f"--host {args.host} lets other machines in: give --keys FILE, or --without-keys if all of them may ask"
        )
    if args.https_key and not args.https_cert:
        raise InvalidInput("--https-key needs --https-cert")
    return Settings(
        host=args.host,
        allowed_hosts=tuple(args.allow_host),
        allowed_origins=tuple(args.allow_origin),
        keys=args.keys,
        gallery=args.gallery,
        served=args.served,
        random_weights=args.random_weights,
        limits=Limits(
            body_bytes=args.max_body,
            images=args.max_images,
            pixels=args.max_pixels,
            in_flight=args.max_in_flight,
            held_bytes=args.max_held,
        ),
    )


def _options(args: argparse.Namespace) -> Options:
    from face_gateway.serving import Options

    tls: Tls | None = tls_from(args)
    return Options(
        url=args.url,
        timeout=args.timeout,
        tls=tls,
        port=args.port,
        https_cert=args.https_cert,
        https_key=args.https_key,
        open=args.open,
        log=args.log_format,
        trace=args.trace,
    )
