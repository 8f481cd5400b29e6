"""`faces protos`: the inference service as other languages' tools want it, a descriptor set and .proto files.

They come out of the installed tritonclient, which carries the service compiled, not its sources. protobuf for Python
keeps descriptors but prints none in their own language; `proto_text` prints what proto3 services are made of: messages,
maps, oneofs, optional fields, enums, services, and options with plain values. Comments are not in a descriptor. For the
language see https://protobuf.dev/reference/protobuf/proto3-spec/.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import DecodeError

from face_command import console, outputs

HELP = "write the service's .proto files, for clients in other languages"

_EXIT_OK = 0
_EXIT_NOT_WRITTEN = 1
_EXIT_USAGE = 2

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

DESCRIPTOR_SET = "inference.desc"

_INDENT = "  "

# Of each kind of descriptor, what is printed. Anything else is refused: text that leaves something out would describe
# other messages.
_PRINTED = {
    "FileDescriptorProto": "name package dependency message_type enum_type service options syntax",
    "DescriptorProto": "name field nested_type enum_type oneof_decl options",
    "FieldDescriptorProto": "name number label type type_name oneof_index json_name options proto3_optional",
    "OneofDescriptorProto": "name",
    "EnumDescriptorProto": "name value options",
    "EnumValueDescriptorProto": "name number options",
    "ServiceDescriptorProto": "name method options",
    "MethodDescriptorProto": "name input_type output_type options client_streaming server_streaming",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces protos`."""
    parser.epilog = _EPILOG
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("protos"), help="folder (%(default)s)")
    outputs.add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files and name them; returns the exit status."""
    try:
        written = write_protos(args.out, args.force)
    except outputs.OutputRefused as error:
        console.message(f"faces protos: {error}")
        return _EXIT_USAGE
    except (outputs.OutputError, ValueError) as error:
        console.message(f"faces protos: {error}")
        return _EXIT_NOT_WRITTEN
    for path in written:
        console.line(str(path))
    return _EXIT_OK


def write_protos(folder: Path, force: bool = False) -> list[Path]:
    """Write `inference.desc` and the .proto files into the folder, made if need be; the files' paths.

    force: also over files that are no such ones. Raises OutputError where they cannot be written, OutputRefused where
    they must not be, ValueError where a descriptor cannot be printed.
    """
    files = descriptor_set()
    contents = {folder / file.name: proto_text(file).encode() for file in files.file}
    written = {folder / DESCRIPTOR_SET: files.SerializeToString(deterministic=True), **contents}
    for path in written:
        outputs.check_file("--out", path, is_ours=_is_ours, force=force)
    for path, data in written.items():
        outputs.write_whole(path, partial(_write, data))
    return list(written)


def _write(data: bytes, file: IO[bytes]) -> None:
    file.write(data)


def _is_ours(path: Path) -> bool:
    """Whether a file was printed out of descriptors, maybe of another version; Triton's own files have comments."""
    data = path.read_bytes()
    if path.name == DESCRIPTOR_SET:
        try:
            return any(file.package == "inference" for file in FileDescriptorSet.FromString(data).file)
        except DecodeError:
            return False
    return data.startswith(b'syntax = "proto3";') and b"//" not in data


def descriptor_set() -> FileDescriptorSet:
    """The service's file, after all that it imports: every file stands behind its own imports."""
    # Not at the top: gRPC takes longer to import than `faces --help` to answer.
    from tritonclient.grpc import service_pb2

    files: dict[str, FileDescriptorProto] = {}
    _collect(service_pb2.DESCRIPTOR, files)
    return FileDescriptorSet(file=files.values())


def _collect(file: FileDescriptor, into: dict[str, FileDescriptorProto]) -> None:
    if file.name in into:
        return
    for imported in file.dependencies:
        _collect(imported, into)
    into[file.name] = FileDescriptorProto()
    file.CopyToProto(into[file.name])


def proto_text(file: FileDescriptorProto) -> str:
    """The .proto text; compiled, it gives the descriptor again (as protoc makes it, without json_name).

    Raises ValueError for what this printer does not know, such as extensions or another syntax than proto3.
    """
    if file.syntax != "proto3":
        raise ValueError(f"{file.name} has the syntax {file.syntax or 'proto2'!r}; only proto3 can be printed")
    return "\n".join(_Printer(file.package).file(file)) + "\n"


class _Printer:
    """package: of the file; its own types are named without it."""

    def __init__(self, package: str) -> None:
        self._prefix = f".{package}." if package else "."

    def file(self, file: FileDescriptorProto) -> Iterator[str]:
        _check_printable(file)
        yield 'syntax = "proto3";'
        for name in file.dependency:
            yield f"\nimport {json.dumps(name)};"
        if file.package:
            yield f"\npackage {file.package};"
        yield from _option_lines(file.options)
        for service in file.service:
            yield from ("", *self._service(service))
        for enum in file.enum_type:
            yield from ("", *self._enum(enum))
        for message in file.message_type:
            yield from ("", *self._message(message, frozenset()))

    def _service(self, service: ServiceDescriptorProto) -> Iterator[str]:
        _check_printable(service)
        yield f"service {service.name} {{"
        yield from _indented(_option_lines(service.options))
        for method in service.method:
            yield from _indented(self._method(method))
        yield "}"

    def _method(self, method: MethodDescriptorProto) -> Iterator[str]:
        _check_printable(method)
        takes = "stream " * method.client_streaming + self._reference(method.input_type, frozenset())
        returns = "stream " * method.server_streaming + self._reference(method.output_type, frozenset())
        head = f"rpc {method.name}({takes}) returns ({returns})"
        options = list(_option_lines(method.options))
        if options:
            yield from (f"{head} {{", *_indented(options), "}")
        else:
            # protoc tells `{}` from `;`.
            yield head + (" {}" if method.HasField("options") else ";")

    def _enum(self, enum: EnumDescriptorProto) -> Iterator[str]:
        _check_printable(enum)
        yield f"enum {enum.name} {{"
        yield from _indented(_option_lines(enum.options))
        for value in enum.value:
            _check_printable(value)
            yield f"{_INDENT}{value.name} = {value.number}{_bracketed(value.options)};"
        yield "}"

    def _message(self, message: DescriptorProto, shadowing: frozenset[str]) -> Iterator[str]:
        """shadowing: names of types inside the messages around this one, which come before the package's own."""
        _check_printable(message)
        shadowing |= {inner.name for inner in (*message.nested_type, *message.enum_type)}
        maps = {f".{inner.name}": inner for inner in message.nested_type if inner.options.map_entry}
        yield f"message {message.name} {{"
        yield from _indented(_option_lines(message.options))
        for enum in message.enum_type:
            yield from _indented((*self._enum(enum), ""))
        for inner in message.nested_type:
            if not inner.options.map_entry:
                yield from _indented((*self._message(inner, shadowing), ""))
        for group in _by_oneof(message):
            lines = [self._field(field, maps, shadowing) for field in group]
            if _in_oneof(group[0]):
                oneof = message.oneof_decl[group[0].oneof_index]
                _check_printable(oneof)
                lines = [f"oneof {oneof.name} {{", *_indented(lines), "}"]
            yield from _indented(lines)
        yield "}"

    def _field(self, field: FieldDescriptorProto, maps: dict[str, DescriptorProto], shadowing: frozenset[str]) -> str:
        _check_printable(field)
        end = f"{field.name} = {field.number}{_bracketed(field.options)};"
        entry = next((entry for suffix, entry in maps.items() if field.type_name.endswith(suffix)), None)
        if entry is not None:
            key, value = (self._type(part, shadowing) for part in entry.field)
            return f"map<{key}, {value}> {end}"
        if field.label == FieldDescriptor.LABEL_REPEATED:
            return f"repeated {self._type(field, shadowing)} {end}"
        return "optional " * field.proto3_optional + f"{self._type(field, shadowing)} {end}"

    def _type(self, field: FieldDescriptorProto, shadowing: frozenset[str]) -> str:
        if field.type_name:
            return self._reference(field.type_name, shadowing)
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()

    def _reference(self, type_name: str, shadowing: frozenset[str]) -> str:
        """The type's name below the package where that is unambiguous, else its full name with a leading dot."""
        name = type_name.removeprefix(self._prefix)
        return type_name if name.partition(".")[0] in shadowing else name


def _by_oneof(message: DescriptorProto) -> list[list[FieldDescriptorProto]]:
    """The fields in order; those of one oneof together, at the place of its first."""
    groups: dict[object, list[FieldDescriptorProto]] = {}
    for field in message.field:
        key = ("oneof", field.oneof_index) if _in_oneof(field) else ("field", field.name)
        groups.setdefault(key, []).append(field)
    return list(groups.values())


def _in_oneof(field: FieldDescriptorProto) -> bool:
    """An optional field has a oneof too, one that is not written down."""
    return bool(field.HasField("oneof_index") and not field.proto3_optional)


def _option_lines(options: Any) -> Iterator[str]:
    """`option name = value;`, one a line, for a file, message, enum, service or method."""
    return (f"option {option};" for option in _options(options))


def _bracketed(options: Any) -> str:
    """` [name = value]`, for a field or a value of an enum; empty without options."""
    listed = ", ".join(_options(options))
    return f" [{listed}]" if listed else ""


def _options(options: Any) -> Iterator[str]:
    known = type(options)()
    known.CopyFrom(options)
    known.DiscardUnknownFields()
    if known != options:
        raise ValueError(f"{options.DESCRIPTOR.name} has an option of somebody's own, which cannot be printed")
    for option, value in options.ListFields():
        if option.type == FieldDescriptor.TYPE_MESSAGE or option.is_extension:
            raise ValueError(f"the option {option.full_name} cannot be printed")
        if option.type == FieldDescriptor.TYPE_ENUM:
            yield f"{option.name} = {option.enum_type.values_by_number[value].name}"
        else:
            # Strings, true and false, and numbers look as they do in JSON.
            yield f"{option.name} = {json.dumps(value)}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    """The lines one level deeper."""
    return (_INDENT + line if line else line for line in lines)


def _check_printable(descriptor: Any) -> None:
    """Raises ValueError where the descriptor has something that is not printed."""
    printed = _PRINTED[descriptor.DESCRIPTOR.name].split()
    for field, _value in descriptor.ListFields():
        if field.name not in printed:
            raise ValueError(f"{descriptor.name} has {field.name}, which cannot be printed")
