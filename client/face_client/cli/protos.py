"""`faces protos`: the inference service for other languages' compilers."""

from __future__ import annotations

import argparse
from pathlib import Path

from face_client.cli import console

HELP = "write the service's .proto files, for clients in other languages"

_EXIT_OK = 0
_EXIT_NOT_WRITTEN = 1

_EPILOG = """\
Written are grpc_service.proto and model_config.proto, for protoc and its plugins, and inference.desc, the same
compiled, for tools that read descriptor sets (protoc --descriptor_set_in, grpcurl -protoset). They describe the
service of the installed tritonclient; older and newer Tritons speak it too. docs/languages.md goes on from there.

examples:
  faces protos                                        into ./protos
  faces protos --out client/examples/protos           where the examples look for them
  protoc -I protos --cpp_out=build protos/*.proto

exit status: 0 all written, 1 not written, 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces protos`."""
    parser.epilog = _EPILOG
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("protos"), help="folder (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Write the files and name them; returns the exit status."""
    # Not at the top: gRPC takes longer to import than `faces --help` to answer.
    from face_client.protos import write_protos

    try:
        written = write_protos(args.out)
    except (OSError, ValueError) as error:
        console.message(f"faces protos: {error}")
        return _EXIT_NOT_WRITTEN
    for path in written:
        print(path)
    return _EXIT_OK
