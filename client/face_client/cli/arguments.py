"""Command-line arguments that verbs share: the connection, and the parameters of detection."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from face_client.defaults import DEFAULT_IN_FLIGHT, DEFAULT_TIMEOUT_S, DEFAULT_TLS, DEFAULT_URL
from face_client.endpoints import addresses
from face_client.errors import InvalidInput
from face_client.options import PARAMETERS, SELECTIONS, DetectOptions
from face_client.tls import CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE, TLS_VARIABLE, Tls, tls_of


def add_connection(parser: argparse.ArgumentParser) -> None:
    """--url, --timeout, --in-flight, and those of TLS."""
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--url",
        type=server_url,
        default=DEFAULT_URL,
        metavar="HOST:PORT",
        help="the server's gRPC endpoint, or several with commas between (%(default)s; TRITON_FACES_URL sets another)",
    )
    group.add_argument(
        "--timeout",
        type=positive_float,
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="seconds for one picture (%(default)g)",
    )
    group.add_argument(
        "--in-flight",
        type=positive_int,
        default=DEFAULT_IN_FLIGHT,
        metavar="N",
        help="pictures sent at a time (%(default)s)",
    )
    _add_tls(group)


def _add_tls(group: argparse._ArgumentGroup) -> None:
    default = DEFAULT_TLS or Tls()
    group.add_argument(
        "--tls",
        action="store_true",
        default=DEFAULT_TLS is not None,
        help=f"encrypt the connection, and trust the system's certificates ({TLS_VARIABLE}=1 does the same)",
    )
    for flag, value, variable, text in (
        ("--tls-ca", default.root_certificates, CA_VARIABLE, "encrypt, and trust these certificates instead"),
        (
            "--tls-cert",
            default.certificate_chain,
            CERT_VARIABLE,
            "encrypt, and come with this certificate, if the server asks",
        ),
        ("--tls-key", default.private_key, KEY_VARIABLE, "the key of that certificate, if it is not in the same file"),
    ):
        group.add_argument(flag, type=readable_file, default=value, metavar="PEM", help=f"{text} ({variable})")


def tls_from(args: argparse.Namespace) -> Tls | None:
    """How to encrypt, by what was given; None: not at all."""
    return tls_of(args.tls, args.tls_ca, args.tls_cert, args.tls_key if args.tls_cert else None)


def add_parameters(parser: argparse.ArgumentParser, names: Iterable[str] = tuple(PARAMETERS)) -> None:
    """The request parameters, or some of them; none has a default here, the server has them."""
    group = parser.add_argument_group("detection (the server's defaults in parentheses)")
    for name in names:
        parameter = PARAMETERS[name]
        flag = f"--{name.replace('_', '-')}"
        if parameter.type is bool:
            group.add_argument(flag, action="store_const", const=True, help=parameter.help)
            continue
        group.add_argument(
            flag,
            type=parameter.type,
            choices=SELECTIONS if name == "selection" else None,
            metavar={int: "N", float: "X", str: "WHICH"}[parameter.type],
            help=parameter.help,
        )


def parameters_from(args: argparse.Namespace) -> DetectOptions:
    """The parameters that were given."""
    given = {name: getattr(args, name, None) for name in PARAMETERS}
    return DetectOptions(**{name: value for name, value in given.items() if value is not None})  # type: ignore[typeddict-item]


def server_url(text: str) -> str:
    """An argparse type: one endpoint, or several with commas between."""
    try:
        addresses(text)
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def readable_file(text: str) -> str:
    """An argparse type."""
    try:
        with Path(text).open("rb"):
            return text
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read: {error.strerror}") from error


def positive_int(text: str) -> int:
    """An argparse type."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def whole_number(text: str) -> int:
    """An argparse type: 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is not at least 0")
    return value


def positive_float(text: str) -> float:
    """An argparse type."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
