"""What verbs that ask a server share: whom they ask and how, what they need there, and how they end when it fails.

`add_asking` and its parts declare arguments; `open_client` and `batch_options` make of them what is asked with.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Callable

from face_client.endpoints import addresses
from face_client.errors import FaceError, InvalidImage, InvalidInput, ModelNotLoaded, ServerUnavailable, UnfitWeights
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
from face_command import console
from face_command.arguments import number, readable_file, whole
from face_command.outputs import OutputError, OutputRefused
from face_command.verbs import has_verb

if TYPE_CHECKING:
    from face_client import FaceClient

# Exit statuses of the verbs that ask the server about pictures.
EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_SERVER = 3

# gRPC takes deadlines that are too far away for past ones; nobody waits a day for a picture.
_LONGEST_TIMEOUT_S = 86_400
# Each has a thread.
_MOST_IN_FLIGHT = 1_000
# 15 to 29 s with the client's pauses: a server that is started again needs up to 10. --timeout ends them too.
_RETRIES = 18
_MOST_RETRIES = 100_000

# Side of a picture without a face, in pixels.
_BLANK = 32

OF_DETECTION = ("min_face_size", "threshold_pnet", "threshold_rnet", "threshold_onet", "factor", "rotations")
"""The parameters of detection alone: not which faces are given, nor how they are cut."""

# Only what holds for any server: it knows its own ranges, and says them.
_NUMBERS = {int: whole(), float: number(0)}
_PLACEHOLDERS = {int: "N", float: "X", str: "WHICH"}


def add_asking(parser: argparse.ArgumentParser, names: Iterable[str] = PARAMETERS, what: str = "pictures") -> None:
    """--max-side, and all of the connection and of the parameters. what: is sent to the server."""
    add_max_side(parser, what)
    add_connection(parser)
    add_patience(parser)
    add_parameters(parser, names)


def add_max_side(parser: argparse.ArgumentParser, what: str = "pictures") -> None:
    """--max-side. what: is sent to the server."""
    parser.add_argument(
        "--max-side", type=whole(1), metavar="N", help=f"shrink larger {what} to N pixels before sending"
    )


def add_patience(parser: argparse.ArgumentParser) -> None:
    """--wait and --retries: what to do while the server is away."""
    group = parser.add_argument_group("a server that is away")
    group.add_argument(
        "--wait",
        type=number(0, _LONGEST_TIMEOUT_S),
        default=0.0,
        metavar="S",
        help="wait so many seconds for it at the start, and when it goes away for longer than the retries last "
        "(%(default)g: end then)",
    )
    group.add_argument(
        "--retries",
        type=whole(0, _MOST_RETRIES),
        default=_RETRIES,
        metavar="N",
        help="ask again up to N times for one picture, within --timeout (%(default)s: some 22 seconds)",
    )


def add_connection(parser: argparse.ArgumentParser) -> None:
    """--url, --timeout, --in-flight, and those of TLS."""
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--url",
        type=server_url,
        default=DEFAULT_URL,
        metavar="HOST:PORT",
        help="the server's gRPC endpoint, or several with commas between; dns:///HOST:PORT for all addresses of a name "
        "(%(default)s; TRITON_FACES_URL sets another)",
    )
    group.add_argument(
        "--timeout",
        type=number(above=0, high=_LONGEST_TIMEOUT_S),
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="seconds for one picture (%(default)g)",
    )
    group.add_argument(
        "--in-flight",
        type=whole(1, _MOST_IN_FLIGHT),
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


def add_parameters(
    parser: argparse.ArgumentParser, names: Iterable[str] = PARAMETERS, own: DetectOptions | None = None
) -> None:
    """The request parameters, or some of them; none has a default here, the server has them.

    own: what the verb asks for instead where nothing is given; the help says so.
    """
    whose = "" if own else "the server's "
    group = parser.add_argument_group(f"detection ({whose}defaults in parentheses)")
    for name in names:
        parameter = PARAMETERS[name]
        text = parameter.help
        if own and name in own:
            text = f"{parameter.text} ({own[name]})"  # type: ignore[literal-required]
        flag = f"--{name.replace('_', '-')}"
        if parameter.type is bool:
            group.add_argument(flag, action="store_const", const=True, help=text)
            continue
        group.add_argument(
            flag,
            type=_NUMBERS.get(parameter.type, str),
            choices=SELECTIONS if name == "selection" else None,
            metavar=_PLACEHOLDERS[parameter.type],
            help=text,
        )


def server_url(text: str) -> str:
    """An argument type: endpoints as `face_client.endpoints.addresses` reads them."""
    try:
        addresses(text)
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


class BatchOptions(DetectOptions, total=False):
    """How many pictures are asked about: keyword arguments of the client's calls for many pictures, and of
    `detect_video`."""

    in_flight: int
    max_side: int | None


def open_client(args: argparse.Namespace) -> FaceClient:
    """A client as the connection's arguments have it; close it."""
    # Not at the top: gRPC takes longer to import than `--help` to answer.
    from face_client import FaceClient

    return FaceClient(args.url, timeout=args.timeout, retries=args.retries, tls=tls_from(args))


def batch_options(args: argparse.Namespace) -> BatchOptions:
    """What was given of `add_asking`, less the connection."""
    return {"in_flight": args.in_flight, "max_side": args.max_side, **parameters_from(args)}


def parameters_from(args: argparse.Namespace) -> DetectOptions:
    """The parameters that were given."""
    given = {name: getattr(args, name, None) for name in PARAMETERS}
    return DetectOptions(**{name: value for name, value in given.items() if value is not None})  # type: ignore[typeddict-item]


def tls_from(args: argparse.Namespace) -> Tls | None:
    """How to encrypt, by what was given; None: not at all."""
    return tls_of(args.tls, args.tls_ca, args.tls_cert, args.tls_key if args.tls_cert else None)


class NotReady(ServerUnavailable):
    """A model that is needed, or the whole server, is not there. Says how to get it."""

    def __init__(self, model: str, url: str, why: FaceError) -> None:
        is_there = isinstance(why, ModelNotLoaded)
        hints = ["name another with --url"]
        if has_verb("serve") and is_there and model == "facenet":
            # Its weights may be what is missing.
            hints = ["give it FaceNet with `faces export --facenet vggface2`, then start it with `faces serve`"]
        elif has_verb("serve") and (is_there or "Connection refused" in str(why)):
            hints = ["start one with `faces serve`", *hints]
        said = "" if is_there else f" ({why})"
        super().__init__(f"no server with model '{model}' is ready at {url}{said}; {', or '.join(hints)}")


def check_ready(client: FaceClient, *models: str, wait: float = 0.0) -> None:
    """Raises NotReady unless the server is there and serves these models, within `wait` seconds each."""
    for model in models:
        try:
            client.check_ready(model)
        except FaceError as error:
            if not _comes_back(client, model, wait):
                raise NotReady(model, client.url, error) from error


def _comes_back(client: FaceClient, model: str, wait: float) -> bool:
    if not wait:
        return False
    try:
        client.wait_ready(wait, model)
    except ServerUnavailable:
        return False
    return True


def check_parameters(
    client: FaceClient, args: argparse.Namespace, *, recognize: bool = False, crops: bool = False
) -> None:
    """Raises InvalidInput for a parameter that the server refuses: once, rather than for each of many pictures."""
    given = parameters_from(args)
    if not given:
        return
    import numpy as np

    ask = client.recognize if recognize else client.detect
    try:
        ask(np.zeros((_BLANK, _BLANK, 3), np.uint8), crops=crops, **given)
    except InvalidInput:
        raise
    except FaceError:
        # The pictures will say so, and go on after it.
        return


RANDOM_FLAG = "--random-weights"


def add_random_weights(parser: argparse._ActionsContainer) -> None:
    """The option of verbs that tell people apart."""
    parser.add_argument(
        RANDOM_FLAG,
        action="store_true",
        help="go on where the server's FaceNet has random weights, as load tests have: what it says is meaningless",
    )


def check_weights(client: FaceClient, verb: str, random_weights: bool) -> None:
    """Says so where the server's FaceNet has random weights. Raises UnfitWeights unless these are allowed."""
    if not client.weights().random:
        return
    # Not at the top: it needs NumPy, and `--help` does not.
    from face_client.similarity import RANDOM_WEIGHTS

    if not random_weights:
        raise UnfitWeights(
            f"{RANDOM_WEIGHTS}: give it trained ones with `faces export --facenet vggface2`, or go on all the same "
            f"with {RANDOM_FLAG}"
        )
    console.message(f"faces {verb}: WARNING: {RANDOM_WEIGHTS}")


def in_one_line(verb: str, work: Callable[[], int], failed: int = EXIT_SOME_FAILED) -> int:
    """The exit status of a verb's work. What ends it early becomes a line for the person, and the status that says so.

    failed: the status where neither the arguments are wrong nor the server is missing.
    """
    try:
        return work()
    except BrokenPipeError:
        # Whoever read the output has had enough.
        raise
    except (FaceError, OSError, OutputError) as error:
        console.message(f"faces {verb}: {_sentence(error)}")
        return _exit_status(error, failed)


def _sentence(error: FaceError | OSError | OutputError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _exit_status(error: FaceError | OSError | OutputError, failed: int) -> int:
    if isinstance(error, (NotReady, UnfitWeights)):
        return EXIT_NO_SERVER
    if isinstance(error, OutputRefused):
        return EXIT_USAGE
    # A picture is no argument.
    is_usage = isinstance(error, InvalidInput) and not isinstance(error, InvalidImage)
    return EXIT_USAGE if is_usage else failed
