"""`faces serve --page`: the command that runs beside the server, and what it is told."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from face_client.extras import how_to_install
from face_client.tls import CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE, TLS_VARIABLE, tls_from_environment
from face_command.arguments import whole
from face_command.verbs import has_verb


class PageRefused(ValueError):
    """What was asked for with --page does not go together, or is not there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--page and its own."""
    group = parser.add_argument_group("a page for browsers and a REST API")
    group.add_argument(
        "--page", action="store_true", help="run `faces page` beside the server, on this machine; when it ends, both do"
    )
    group.add_argument(
        "--page-port",
        type=whole(0, 65535),
        metavar="PORT",
        help="default: that of `faces page`, with --any-ports any free one; 0 for any free one",
    )
    group.add_argument(
        "--open",
        nargs="?",
        const="",
        choices=("", "sample"),
        metavar="sample",
        help="open the page in a browser; `--open sample`: with a sample photo",
    )


def command_beside(args: argparse.Namespace, environment: Mapping[str, str]) -> list[str]:
    """What is to run beside the server: COMMAND, the page, or nothing. Raises PageRefused."""
    from face_runtime.settings import GALLERY_VARIABLE

    if not args.page:
        if args.page_port is not None or args.open is not None:
            raise PageRefused("--page-port and --open need --page")
        return list(args.command)
    if args.command:
        raise PageRefused("--page is a command itself: leave out the other one, or run `faces page` in it")
    if not has_verb("page"):
        raise PageRefused(f"--page needs `faces page`: {how_to_install('triton-faces', 'gateway')}")
    if args.tls_cert:
        _check_trust(args, environment)
    port = 0 if args.page_port is None and args.any_ports else args.page_port
    return [
        *("faces", "page"),
        *([] if port is None else ["--port", str(port)]),
        *([] if args.open is None else ["--open", *filter(None, [args.open])]),
        *(["--log-format", args.log_format] if args.log_format else []),
        # The server knows the people, and has a search for all of its callers.
        *(["--served"] if args.gallery or environment.get(GALLERY_VARIABLE) else []),
        *(["--random-weights"] if args.random_weights else []),
    ]


def _check_trust(args: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """The page is a client as any other: the environment says whom it trusts. Raises PageRefused."""
    tls = tls_from_environment(environment)
    if tls is None:
        raise PageRefused(f"--page must know whom to trust where there is --tls-cert: set {CA_VARIABLE}")
    if args.tls_ca and not tls.certificate_chain:
        raise PageRefused(f"--page must come with a certificate where there is --tls-ca: set {CERT_VARIABLE}")


def variables_beside(args: argparse.Namespace) -> dict[str, str]:
    """What the page is told by its environment, where it differs from ours."""
    from face_runtime.settings import GALLERY_VARIABLE

    if not args.page:
        return {}
    # Of a server that does not encrypt: what the environment says of that is about others.
    plain = () if args.tls_cert else (TLS_VARIABLE, CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE)
    return {**dict.fromkeys(plain, ""), **({GALLERY_VARIABLE: args.gallery} if args.gallery else {})}
