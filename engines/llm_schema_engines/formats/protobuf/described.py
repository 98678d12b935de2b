"""Reads a schema that is given as a descriptor in base64, as Confluent's serializers send it. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from .lexer import refuse
from .limits import ProtobufLimits

_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")


def read_described(
    content: bytes, limits: ProtobufLimits, given: Callable[[str], bool]
) -> FileDescriptorProto | None:
    """The file that `content` describes in base64: a FileDescriptorProto, or a FileDescriptorSet with one file besides those
    whose paths are `given`. None when it is text. Raises InvalidSchema."""
    if len(content) > limits.source or not content.strip() or not _BASE64.fullmatch(content):
        return None
    try:
        data = base64.b64decode(b"".join(content.split()), validate=True)
        file = FileDescriptorProto.FromString(data)
    except (binascii.Error, DecodeError):
        return None
    if not _declares(file):
        file = _only_file(data, given)
    if _unknown(file):
        raise refuse("DESCRIPTOR_UNKNOWN", "the descriptor has fields that no FileDescriptorProto has")
    return file


def _only_file(data: bytes, given: Callable[[str], bool]) -> FileDescriptorProto:
    """That of a FileDescriptorSet, which has the form of a FileDescriptorProto with nothing but a name."""
    try:
        files = [file for file in FileDescriptorSet.FromString(data).file if _declares(file)]
    except DecodeError:
        files = []
    if not files:
        raise refuse(
            "DESCRIPTOR_EMPTY", "the descriptor declares nothing: no message, enum, service or extension"
        )
    own = files if len(files) == 1 else [file for file in files if not given(file.name)]
    if len(own) != 1:
        names = ", ".join(repr(file.name[:80]) for file in own[:5]) or "none"
        raise refuse(
            "DESCRIPTOR_SET",
            f"of a FileDescriptorSet one file is registered, not {len(own)} ({names}); give what it imports as references",
        )
    return own[0]


def _declares(file: FileDescriptorProto) -> bool:
    return bool(file.message_type or file.enum_type or file.service or file.extension)


def _unknown(message: Message) -> bool:
    """Whether it has fields that its type lacks, here or deeper. Options may: those are declared by imports."""
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is None or field.name in ("options", "features"):
            continue
        if any(_unknown(item) for item in (value if field.is_repeated else [value])):
            return True
    return False
