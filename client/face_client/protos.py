"""The inference service as other languages' tools want it: a descriptor set and .proto files.

They come out of the installed tritonclient, which carries the service compiled, not its sources.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from tritonclient.grpc import service_pb2

from face_client.proto_text import proto_text

DESCRIPTOR_SET = "inference.desc"


def descriptor_set() -> FileDescriptorSet:
    """The service's file, after all that it imports: every file stands behind its own imports."""
    files: dict[str, FileDescriptorProto] = {}
    _collect(service_pb2.DESCRIPTOR, files)
    return FileDescriptorSet(file=files.values())


def write_protos(folder: Path) -> list[Path]:
    """Write `inference.desc` and the .proto files into the folder, made if need be; the files' paths.

    Raises OSError where they cannot be written, ValueError where a descriptor cannot be printed.
    """
    files = descriptor_set()
    texts = {file.name: proto_text(file) for file in files.file}
    written = [folder / DESCRIPTOR_SET]
    folder.mkdir(parents=True, exist_ok=True)
    written[0].write_bytes(files.SerializeToString(deterministic=True))
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _collect(file: FileDescriptor, into: dict[str, FileDescriptorProto]) -> None:
    if file.name in into:
        return
    for imported in file.dependencies:
        _collect(imported, into)
    into[file.name] = FileDescriptorProto()
    file.CopyToProto(into[file.name])
