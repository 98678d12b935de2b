"""The compiled form that is stored with a schema: its file and all it imports, without source info. Pure."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

Files = tuple[FileDescriptorProto, ...]
"""A schema's files, each after what it imports; the last one is the schema itself."""


def write(files: Files) -> bytes:
    """The artifact of `files`: a serialized FileDescriptorSet."""
    stripped = FileDescriptorSet(file=files)
    for file in stripped.file:
        file.ClearField("source_code_info")
    return stripped.SerializeToString(deterministic=True)


def read(artifact: bytes) -> Files:
    """The files of an artifact. Raises google.protobuf.message.DecodeError when the bytes are damaged."""
    return tuple(FileDescriptorSet.FromString(artifact).file)
