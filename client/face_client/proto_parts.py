"""What `proto_text` writes in more than one place: options, indents; and the check that nothing is left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

INDENT = "  "

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


def option_lines(options: Any) -> Iterator[str]:
    """`option name = value;`, one a line, for a file, message, enum, service or method."""
    return (f"option {option};" for option in _options(options))


def bracketed(options: Any) -> str:
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


def indented(lines: Iterable[str]) -> Iterator[str]:
    """The lines one level deeper."""
    return (INDENT + line if line else line for line in lines)


def check_printable(descriptor: Any) -> None:
    """Raises ValueError where the descriptor has something that is not printed."""
    printed = _PRINTED[descriptor.DESCRIPTOR.name].split()
    for field, _value in descriptor.ListFields():
        if field.name not in printed:
            raise ValueError(f"{descriptor.name} has {field.name}, which cannot be printed")
