"""The service as .proto files: compiled again they are the service's own descriptors."""

from importlib import resources

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc
from tritonclient.grpc import service_pb2

from face_command.main import main
from face_tools import protos
from face_tools.protos import proto_text


def compiled(folder, name):
    """protoc's descriptors of a file and of what it imports, by name; without json_name, which Python's have not."""
    target = folder / "compiled.desc"
    include = [f"-I{folder}", f"-I{resources.files('grpc_tools') / '_proto'}"]
    status = protoc.main(["protoc", *include, "--include_imports", f"--descriptor_set_out={target}", name])
    assert status == 0
    files = FileDescriptorSet.FromString(target.read_bytes()).file
    for file in files:
        clear_json_names(file.message_type)
    return {file.name: file for file in files}


def clear_json_names(messages):
    for message in messages:
        clear_json_names(message.nested_type)
        for field in message.field:
            field.ClearField("json_name")


def service_files():
    return {file.name: file for file in protos.descriptor_set().file}


def test_the_text_compiles_to_the_services_own_descriptors(tmp_path):
    protos.write_protos(tmp_path)
    assert compiled(tmp_path, "grpc_service.proto") == service_files()


def test_the_descriptor_set_needs_no_other_file():
    pool = DescriptorPool()
    for file in protos.descriptor_set().file:
        pool.AddSerializedFile(file.SerializeToString())
    service = pool.FindServiceByName("inference.GRPCInferenceService")
    methods = {method.name for method in service.methods}
    assert methods == {method.name for method in service_pb2.DESCRIPTOR.services_by_name[service.name].methods}
    assert {"ModelInfer", "ModelStreamInfer"} <= methods


def test_the_command_writes_both_and_names_them(tmp_path, capsys):
    folder = tmp_path / "new" / "protos"
    assert main(["protos", "--out", str(folder)]) == 0
    names = {"inference.desc", "grpc_service.proto", "model_config.proto"}
    assert {path.name for path in folder.iterdir()} == names
    assert set(capsys.readouterr().out.split()) == {str(folder / name) for name in names}
    written = FileDescriptorSet.FromString((folder / "inference.desc").read_bytes())
    assert {file.name: file for file in written.file} == service_files()


@pytest.mark.parametrize("name", ["grpc_service.proto", "inference.desc"])
def test_files_printed_before_are_replaced_and_no_others(tmp_path, name, capsys):
    arguments = ["protos", "--out", str(tmp_path)]
    assert main(arguments) == main(arguments) == 0
    printed = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"// Copyright (c) of somebody else\n" + printed)
    assert main(arguments) == 2
    assert f"--out would overwrite {tmp_path / name}" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert (tmp_path / name).read_bytes() == printed


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["protos", "--out", str(tmp_path / "file" / "protos")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("faces protos: ")
    assert error.count("\n") == 1


# What tritonclient's files do not have, but newer ones might.
_IMPORTED = """
syntax = "proto3";
message Alone { bytes content = 1; }
enum Loose { NONE = 0; }
"""
_EVERYTHING = """
syntax = "proto3";
package a.b;
import "imported.proto";
option go_package = "example.com/a\\"b";
option cc_enable_arenas = true;
option optimize_for = CODE_SIZE;
enum Colour {
  option allow_alias = true;
  RED = 0;
  GREEN = 2;
  LIME = 2 [deprecated = true];
  MINUS = -1;
}
message Outer {
  option deprecated = true;
  message Colour { optional int32 hue = 1; a.b.Colour outer = 2; }
  enum Kind { UNKNOWN = 0; }
  message Inner { message Deep { repeated Outer outer = 1; } Deep deep = 1; Colour colour = 2; }
  Colour shadowed = 1;
  .a.b.Colour own = 2;
  Alone alone = 3;
  .Loose loose = 4;
  map<string, Inner.Deep> by_name = 5;
  map<int64, double> by_number = 6;
  oneof choice { uint32 number = 7; string text = 8; Kind kind = 9; }
  optional float maybe = 10;
  oneof other { fixed64 fixed = 11; sint32 zigzag = 12; }
  repeated sfixed32 unpacked = 20 [packed = false, deprecated = true];
}
message Empty {}
service Service {
  option deprecated = true;
  rpc Unary(Empty) returns (.Alone);
  rpc Streams(stream Outer.Inner) returns (stream Outer) { option idempotency_level = IDEMPOTENT; }
  rpc Braces(Empty) returns (Empty) {}
}
"""


def test_everything_that_is_printed_is_printed_right(tmp_path):
    source, printed = tmp_path / "source", tmp_path / "printed"
    source.mkdir()
    printed.mkdir()
    (source / "imported.proto").write_text(_IMPORTED)
    (source / "everything.proto").write_text(_EVERYTHING)
    expected = compiled(source, "everything.proto")
    for name, file in expected.items():
        (printed / name).write_text(proto_text(file))
    assert compiled(printed, "everything.proto") == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("message Old { required int32 number = 1; }", "syntax 'proto2'"),
        ('syntax = "proto3"; message Gap { reserved 2; }', "Gap has reserved_range"),
        ('syntax = "proto3"; enum Gap { A = 0; reserved "B"; }', "Gap has reserved_name"),
        (
            'syntax = "proto3"; import "google/protobuf/descriptor.proto"; '
            "extend google.protobuf.FieldOptions { string unit = 50000; }",
            "file.proto has extension",
        ),
    ],
)
def test_what_cannot_be_printed_is_refused(tmp_path, source, reason):
    (tmp_path / "file.proto").write_text(source)
    with pytest.raises(ValueError, match=reason):
        proto_text(compiled(tmp_path, "file.proto")["file.proto"])


def test_an_option_of_somebodys_own_is_refused(tmp_path):
    (tmp_path / "unit.proto").write_text(
        'syntax = "proto3"; import "google/protobuf/descriptor.proto"; '
        "extend google.protobuf.FieldOptions { string unit = 50000; }"
    )
    (tmp_path / "file.proto").write_text(
        'syntax = "proto3"; import "unit.proto"; message Length { double value = 1 [(unit) = "m"]; }'
    )
    with pytest.raises(ValueError, match="FieldOptions has an option of somebody's own"):
        proto_text(compiled(tmp_path, "file.proto")["file.proto"])


def test_an_empty_file():
    assert proto_text(FileDescriptorProto(name="empty.proto", syntax="proto3")) == 'syntax = "proto3";\n'
