"""A file's descriptor → the text of its .proto file.

protobuf for Python keeps descriptors but prints none in their own language. This prints what proto3 services are
made of: messages, maps, oneofs, optional fields, enums, services, and options with plain values. Comments are not
in a descriptor. For the language see https://protobuf.dev/reference/protobuf/proto3-spec/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from face_client.proto_parts import INDENT, bracketed, check_printable, indented, option_lines


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
        check_printable(file)
        yield 'syntax = "proto3";'
        for name in file.dependency:
            yield f"\nimport {json.dumps(name)};"
        if file.package:
            yield f"\npackage {file.package};"
        yield from option_lines(file.options)
        for service in file.service:
            yield from ("", *self._service(service))
        for enum in file.enum_type:
            yield from ("", *self._enum(enum))
        for message in file.message_type:
            yield from ("", *self._message(message, frozenset()))

    def _service(self, service: ServiceDescriptorProto) -> Iterator[str]:
        check_printable(service)
        yield f"service {service.name} {{"
        yield from indented(option_lines(service.options))
        for method in service.method:
            yield from indented(self._method(method))
        yield "}"

    def _method(self, method: MethodDescriptorProto) -> Iterator[str]:
        check_printable(method)
        takes = "stream " * method.client_streaming + self._reference(method.input_type, frozenset())
        returns = "stream " * method.server_streaming + self._reference(method.output_type, frozenset())
        head = f"rpc {method.name}({takes}) returns ({returns})"
        options = list(option_lines(method.options))
        if options:
            yield from (f"{head} {{", *indented(options), "}")
        else:
            # protoc tells `{}` from `;`.
            yield head + (" {}" if method.HasField("options") else ";")

    def _enum(self, enum: EnumDescriptorProto) -> Iterator[str]:
        check_printable(enum)
        yield f"enum {enum.name} {{"
        yield from indented(option_lines(enum.options))
        for value in enum.value:
            check_printable(value)
            yield f"{INDENT}{value.name} = {value.number}{bracketed(value.options)};"
        yield "}"

    def _message(self, message: DescriptorProto, shadowing: frozenset[str]) -> Iterator[str]:
        """shadowing: names of types inside the messages around this one, which come before the package's own."""
        check_printable(message)
        shadowing |= {inner.name for inner in (*message.nested_type, *message.enum_type)}
        maps = {f".{inner.name}": inner for inner in message.nested_type if inner.options.map_entry}
        yield f"message {message.name} {{"
        yield from indented(option_lines(message.options))
        for enum in message.enum_type:
            yield from indented((*self._enum(enum), ""))
        for inner in message.nested_type:
            if not inner.options.map_entry:
                yield from indented((*self._message(inner, shadowing), ""))
        for group in _by_oneof(message):
            lines = [self._field(field, maps, shadowing) for field in group]
            if _in_oneof(group[0]):
                oneof = message.oneof_decl[group[0].oneof_index]
                check_printable(oneof)
                lines = [f"oneof {oneof.name} {{", *indented(lines), "}"]
            yield from indented(lines)
        yield "}"

    def _field(self, field: FieldDescriptorProto, maps: dict[str, DescriptorProto], shadowing: frozenset[str]) -> str:
        check_printable(field)
        end = f"{field.name} = {field.number}{bracketed(field.options)};"
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
