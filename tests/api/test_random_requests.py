"""Any request of any RPC is answered, or refused with a reason that we document: never INTERNAL, never silence."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry_server import errors

from .helpers import AVRO_V1, PROTO_V1, V1, V2_COMPATIBLE, register
from .wires import METHODS, CallFailed, Wire, rendered

REASONS = {
    kind.reason
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.RegistryError)
}
ROUTING = {"ROUTE_NOT_FOUND", "VERB_NOT_ALLOWED"}
"""An empty field in a path makes it another path."""

SUBJECT = f"random.{uuid4().hex[:8]}"
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "latest",
            "1",
            "^1.0",
            "-1",
            "1.0.0",
            "0",
            "*",
            "?",
            ".",
            ":.ctx:a",
            ":.",
            "%",
            "a/b",
            "earliest",
            "x" * 300,
        ]
    ),
    st.sampled_from([SUBJECT, f"{SUBJECT}*", "http://json-schema.org/draft-07/schema#", "a.proto"]),
    st.text(max_size=20),
)
BYTES = st.one_of(
    st.sampled_from([V1, V2_COMPATIBLE, AVRO_V1, PROTO_V1, b"{}", b"true", b"[]", b"", b'{"$ref": "#"}']),
    st.sampled_from([b'{"a": "x"}', b'{"$ref": "a.proto"}', b'"string"', b"\x0a\x01x", b"{", b"\xff"]),
    st.binary(max_size=40),
)
INTEGERS = st.one_of(st.sampled_from([0, 1, 2, 50, -1, 1000, 1001, 2**31 - 1, -(2**31)]), st.integers(0, 12))
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: INTEGERS,
    FieldDescriptor.TYPE_INT64: INTEGERS,
    FieldDescriptor.TYPE_DOUBLE: st.one_of(st.sampled_from([0.0, 0.01, -1.0, 1e300]), st.floats()),
    FieldDescriptor.TYPE_ENUM: st.one_of(st.integers(0, 4), st.integers(-1, 20)),
}


def trees(descriptor: Descriptor, above: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments of a message: any of its fields, with any values. `above`: the types of the messages that it is in; one that
    holds itself is empty inside the second time."""
    if above.count(descriptor.full_name) > 1:
        return st.just({})
    above = (*above, descriptor.full_name)
    if descriptor.full_name == "google.protobuf.Duration":
        return st.fixed_dictionaries({"seconds": st.integers(-2, 5)})
    if descriptor.full_name == "google.protobuf.Timestamp":  # others JSON has no form for
        return st.fixed_dictionaries({"seconds": st.integers(-62135596800, 253402300799)})
    return st.fixed_dictionaries({}, optional={f.name: values(f, above) for f in descriptor.fields})


def values(field: FieldDescriptor, above: tuple[str, ...]) -> st.SearchStrategy[Any]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return st.dictionaries(TEXTS, TEXTS, max_size=2)
    one = trees(kind, above) if kind is not None else SCALARS[field.type]
    return st.lists(one, max_size=3) if field.is_repeated else one


def requests(rpc: str) -> st.SearchStrategy[Message]:
    kind = message_factory.GetMessageClass(METHODS[rpc].input_type)
    return trees(METHODS[rpc].input_type).map(lambda tree: kind(**tree))


def failure(wire: Wire, rpc: str, request: Any) -> CallFailed | None:
    """How the call fails, if it does."""
    method = METHODS[rpc]
    try:
        if rpc == "StreamSchemaChanges":
            with closing(wire.listing(rpc, request)) as events:  # type: ignore[type-var]  # a generator
                next(events)
        elif method.client_streaming:
            assert len(list(wire.batch(rpc, [request, request]))) == 2
        elif method.server_streaming:
            list(wire.listing(rpc, request))
        else:
            wire.call(rpc, request)
    except CallFailed as failure:
        return failure
    return None


def is_for_all(rpc: str, request: Any) -> bool:
    """Whether the request would change what the other tests see."""
    if rpc == "SetPolicies":
        return not request.dry_run
    return rpc in {"SetConfig", "DeleteConfig"} and not request.subject


def has_no_path(wire: Wire, rpc: str, request: Message) -> bool:
    """Over HTTP `.` and `..` are not segments of a path: every client takes them away (RFC 3986 6.2.2.3)."""
    return wire.name == "http" and bool({".", ".."} & set(rendered(rpc, request)[1].split("/")))


@pytest.mark.slow
@pytest.mark.parametrize("rpc", sorted(METHODS))
def test_any_request_is_answered_or_refused_with_a_known_reason(wire: Wire, rpc: str) -> None:
    # What a test before this one may have set: a subject that is read only takes nothing.
    with suppress(CallFailed):  # nothing was set
        wire.call("DeleteConfig", config_pb2.DeleteConfigRequest(subject=SUBJECT))
    register(wire, SUBJECT)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests(rpc))
    def check(request: Any) -> None:
        assume(not is_for_all(rpc, request) and not has_no_path(wire, rpc, request))
        if rpc == "StreamSchemaChanges" and not request.heartbeat_interval.seconds:
            request.heartbeat_interval.seconds = 1  # or it may wait for ever
        failed = failure(wire, rpc, request)
        if failed is not None:
            assert failed.reason in (REASONS | ROUTING if wire.name == "http" else REASONS), failed
            assert failed.request_id

    check()
