"""Messages as JSON: what protobuf's own json_format gives, for every message of the API, with values at random."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from google.protobuf import json_format, message_factory, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.rpc.methods import load
from llm_schema_registry_server.transports.http import json_out
from llm_schema_registry_server.transports.http.proto_json import message_of, tree_of

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def all_messages() -> dict[str, Descriptor]:
    """Each message that an RPC takes or gives, and those inside them."""
    found: dict[str, Descriptor] = {}
    pending = [kind.DESCRIPTOR for method in load() for kind in (method.request_type, method.response_type)]
    while pending:
        kind: Any = pending.pop()
        if kind.full_name not in found and not kind.full_name.startswith("google."):
            found[kind.full_name] = kind
            pending += [field.message_type for field in kind.fields if field.message_type]
    return {name: kind for name, kind in found.items() if not kind.GetOptions().map_entry}


MESSAGES = all_messages()


def filled(kind: Descriptor, rng: random.Random, depth: int = 0) -> Message:
    """A message with about half of its fields set."""
    message: Any = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        if rng.random() < 0.5 and (field.message_type is None or depth < 3):
            held = getattr(message, field.name)
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                key, value = (field.message_type.fields_by_name[part] for part in ("key", "value"))
                for _ in range(2):
                    if value.message_type is not None:
                        held[scalar(key, rng)].CopyFrom(filled(value.message_type, rng, depth + 1))
                    else:
                        held[scalar(key, rng)] = scalar(value, rng)
            elif field.is_repeated:
                held.extend(one(field, rng, depth) for _ in range(rng.randrange(3)))
            elif field.message_type is not None:
                held.CopyFrom(one(field, rng, depth))
            else:
                setattr(message, field.name, scalar(field, rng))
    return message


def one(field: FieldDescriptor, rng: random.Random, depth: int) -> Any:
    inner = field.message_type
    if inner is None:
        return scalar(field, rng)
    if inner.full_name.startswith("google.protobuf."):
        made: Any = message_factory.GetMessageClass(inner)()
        if inner.full_name.endswith(("Timestamp", "Duration")):
            made.seconds, made.nanos = rng.randrange(10**9), rng.choice((0, 1, 10**8, 999_999_999))
        return made
    return filled(inner, rng, depth + 1)


def scalar(field: FieldDescriptor, rng: random.Random) -> Any:
    if field.enum_type is not None:
        return rng.choice([*field.enum_type.values_by_number, 4711])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.randrange(5))
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return rng.random() < 0.5
        case FieldDescriptor.CPPTYPE_STRING:
            return rng.choice(("", "a", "é\U0001f600", "null", '"\\\x00'))
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return rng.choice((0.0, 0.1, -1e300, math.inf, -math.inf, math.nan))
        case _:
            low, high = _INTEGERS[field.cpp_type]
            return rng.choice((low, high, 0, 1))


def as_the_library(message: Message) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def plain(value: Any) -> Any:
    """Tuples as the lists that they are in JSON."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("name", MESSAGES)
def test_it_is_written_and_read_as_the_library_does(name: str) -> None:
    kind = MESSAGES[name]
    made = message_factory.GetMessageClass(kind)
    rng = random.Random(name)
    for _ in range(30):
        message = filled(kind, rng)
        tree = as_the_library(message)
        assert plain(tree_of(message)) == tree
        # Presence and all: what is read is compared by its bytes, and a number that an enum does not have is kept.
        read = message_of(tree, made)
        if read is not None:
            expected = json_format.ParseDict(tree, made())
            assert read.SerializeToString(deterministic=True) == expected.SerializeToString(
                deterministic=True
            )


def test_most_requests_are_read_by_plan() -> None:
    """Otherwise the test above would compare nothing."""
    requests = {
        method.request_type
        for method in load()
        if not method.request_type.DESCRIPTOR.full_name.startswith("google.")
    }
    assert all(message_of({}, kind) is not None for kind in requests)
    by_plan = [message_of(tree_of(kind()), kind) is not None for kind in requests]
    assert sum(by_plan) > 0.8 * len(by_plan)


@pytest.mark.parametrize(
    ("tree", "field", "value"),
    [
        ({"data": "-_-_"}, "data", b"\xfb\xff\xbf"),
        ({"data": "+/+/"}, "data", b"\xfb\xff\xbf"),
        ({"data": "YQ"}, "data", b"a"),
        ({"data": "YQ=="}, "data", b"a"),
        ({"data": None}, "data", b""),
    ],
)
def test_base64_is_read_as_the_library_does(tree: dict[str, Any], field: str, value: bytes) -> None:
    read: Any = message_of(tree, pb.ValidateDataRequest)
    if tree[field] is not None and not set("+/") & set(tree[field]):
        assert read == json_format.ParseDict(tree, pb.ValidateDataRequest())
    assert getattr(read, field) == value


def test_integers_may_be_texts_and_whole_fractions() -> None:
    for size in (7, "7", 7.0):
        read: Any = message_of({"limit": size}, pb.ListSubjectsRequest)
        assert read == json_format.ParseDict({"limit": size}, pb.ListSubjectsRequest())


def test_messages_of_protobuf_itself_are_the_librarys() -> None:
    assert message_of({"a": 1}, struct_pb2.Struct) is None
    made = struct_pb2.Struct()
    made.update({"a": 1})
    assert tree_of(made) == {"a": 1.0}
    assert json_out.render(timestamp_pb2.Timestamp(seconds=1)) == b'"1970-01-01T00:00:01Z"'
