"""What verbs that ask a server share: arguments of the connection and of detection, and exit statuses."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from face_client.endpoints import addresses
from face_client.errors import InvalidInput
from face_client.options import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_TIMEOUT_S,
    DEFAULT_TLS,
    DEFAULT_URL,
    PARAMETERS,
    SELECTIONS,
    DetectOptions,
)
from face_client.tls import CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE, TLS_VARIABLE, Tls, tls_of
from face_command.arguments import number, readable_file, whole

# Exit statuses of the verbs that ask the server about pictures, and the words for a server that is not there.


EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_SERVER = 3


def no_server(verb: str, model: str, url: str) -> str:
    """One sentence; for FaceNet, whose weights may be what is missing, it says how to get them."""
    start = "start one with `faces serve`, or name another with --url"
    if model == "facenet":
        start = "give it FaceNet with `faces export --facenet vggface2`, then start it with `faces serve`"
    return f"faces {verb}: no server with model '{model}' is ready at {url}; {start}"


# Command-line arguments that verbs share: the connection, and the parameters of detection.


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
        type=number(above=0),
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="seconds for one picture (%(default)g)",
    )
    group.add_argument(
        "--in-flight",
        type=whole(1),
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
