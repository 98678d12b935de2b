"""What a request names is known before anything is done, in one form however the request writes it."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from llm_schema_registry.v1 import config_pb2, tools_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.operation import Resource, ResourceKind, no_resources
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.protobuf.resources import resources_of

SUBJECT, SCHEMA, CONTEXT = ResourceKind.SUBJECT, ResourceKind.SCHEMA, ResourceKind.CONTEXT
REFERENCE = ResourceKind.REFERENCE
References = [
    pb.SchemaReference(subject="address"),
    pb.SchemaReference(subject=":.:orders"),
    pb.SchemaReference(subject=":.team:money"),
]


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (pb.GetSchemaRequest(schema_id="x"), [(SCHEMA, "x")]),
        (pb.GetLatestVersionRequest(subject="orders"), [(SUBJECT, "orders")]),
        (pb.GetLatestVersionRequest(subject=":.:orders"), [(SUBJECT, "orders")]),
        (pb.GetLatestVersionRequest(subject=":.team:orders"), [(SUBJECT, ":.team:orders")]),
        (
            pb.RegisterSchemaRequest(subject="orders", references=References),
            [(SUBJECT, "orders"), *((REFERENCE, name) for name in ("address", "orders", ":.team:money"))],
        ),
        (
            tools_pb2.DiffSchemasRequest(
                old=tools_pb2.SchemaOperand(subject="orders", version="1"),
                new=tools_pb2.SchemaOperand(schema_id="y", references=References[:1]),
            ),
            [(SUBJECT, "orders"), (SCHEMA, "y"), (REFERENCE, "address")],
        ),
        (config_pb2.SetConfigRequest(context=".team"), [(CONTEXT, ".team")]),
        (config_pb2.SetConfigRequest(), []),
        # Prefixes of lists are no resources; what is no subject cannot be acted on.
        (pb.ListSchemasRequest(subject_prefix="orders"), []),
        (
            pb.StreamRequest(subjects=["orders.*", "users", " padded "]),
            [(ResourceKind.PATTERN, "orders.*"), (SUBJECT, "users")],
        ),
        (pb.StreamRequest(), [(ResourceKind.PATTERN, "*")]),
        (pb.GetLatestVersionRequest(subject=" padded "), []),
    ],
)
def test_a_request_names_its_resources_once_and_in_one_form(
    request_: Message, named: list[tuple[ResourceKind, str]]
) -> None:
    descriptor: Descriptor = request_.DESCRIPTOR  # type: ignore[assignment]

    assert resources_of(descriptor)(request_) == tuple(Resource(*n) for n in named)


# RPCs about no single thing: lists, searches, statistics, health; one about a schema not registered yet, and one whose items are decided
# one by one.
NAMELESS = {
    "BatchGetSchemas",
    "ListSchemas",
    "ListSubjects",
    "SearchSchemas",
    "CreateTicket",
    "ListProfiles",
    "GetProfile",
    "PutProfile",
    "DeleteProfile",
    "ListProfileVerdicts",
    "GetStatistics",
    "HealthCheck",
    "CreateApiKey",
    "ListGrants",
    "SetGrant",
    "DeleteGrant",
    "GetPolicies",
    "SetPolicies",
    "ExplainAccess",
    "ListApiKeys",
    "GetApiKey",
    "UpdateApiKey",
    "RotateApiKey",
    "DeleteApiKey",
    "RevokeToken",
    "ListRevokedTokens",
    "WhoAmI",
    "ListAuditEvents",
    "GetAuditCheckpoint",
    "GetInclusionProof",
    "GetConsistencyProof",
    "ExportAudit",
}


@pytest.mark.parametrize("method", methods.load(), ids=lambda m: m.name)
def test_every_rpc_of_the_api_names_its_resources_or_is_about_none(method: methods.Method) -> None:
    request = method.request_type()
    _fill(request)

    assert bool(method.operation.resources(request)) == (method.name not in NAMELESS)


def _fill(message: Message, above: tuple[str, ...] = ()) -> None:
    """A text in every field that holds texts, at any depth; but of a type inside itself."""
    if message.DESCRIPTOR.full_name in above:
        return
    above = (*above, message.DESCRIPTOR.full_name)
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and not field.message_type.full_name.startswith("google."):
            if field.message_type.GetOptions().map_entry:
                continue
            inner = getattr(message, field.name)
            _fill(inner.add() if field.is_repeated else inner, above)
            if not field.is_repeated:
                inner.SetInParent()
        elif field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, "text")


def test_a_type_whose_resources_cannot_be_told_stops_the_start() -> None:
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    loop = file.message_type.add(name="Loop")
    loop.field.add(name="loop", number=1, type=11, type_name=".t.Loop", label=1)
    loop.field.add(name="schema_id", number=2, type=9, label=1)
    quiet = file.message_type.add(name="Quiet")
    quiet.field.add(name="quiet", number=1, type=11, type_name=".t.Quiet", label=1)
    many = file.message_type.add(name="Many")
    many.field.add(name="subject", number=1, type=9, label=3)
    pool.AddSerializedFile(file.SerializeToString())

    with pytest.raises(TypeError, match=r"t\.Loop contains itself"):
        resources_of(pool.FindMessageTypeByName("t.Loop"))
    assert resources_of(pool.FindMessageTypeByName("t.Quiet")) is no_resources
    with pytest.raises(TypeError, match=r"t\.Many\.subject must be a single string"):
        resources_of(pool.FindMessageTypeByName("t.Many"))
