"""Every RPC has a method, and what is asked and answered crosses the wire whole."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from llm_schema_registry import (
    AsyncSchemaRegistry,
    CheckItem,
    DataEncoding,
    SchemaOperand,
    SchemaReference,
    SchemaRegistry,
    SchemaState,
    SchemaType,
    ValidationItem,
)
from llm_schema_registry.enums import WireEnum
from tests.sdk.conftest import Face, collect
from tests.sdk.fake_registry import METHODS, FakeRegistry, answers, described, filled

REFERENCE = SchemaReference("money.json", "common.money", "^1.0")
SENT_REFERENCE = [{"name": "money.json", "subject": "common.money", "version": "^1.0"}]

CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = {
    "RegisterSchema": (
        "register_schema",
        ("orders", {"type": "object", "title": "é"}, "json"),
        {
            "references": [REFERENCE],
            "description": "d",
            "tags": ["a"],
            "metadata": {"k": "v"},
            "compatibility_level": "full-transitive",
            "version": "2.0.0",
            "auto_activate": False,
            "normalize": True,
            "dry_run": True,
            "as_draft": True,
        },
        {
            "subject": "orders",
            "schema_content": '{"type":"object","title":"é"}'.encode(),
            "schema_type": 1,
            "references": SENT_REFERENCE,
            "description": "d",
            "tags": ["a"],
            "metadata": {"k": "v"},
            "compatibility_level": 6,
            "version": "2.0.0",
            "auto_version": False,
            "auto_activate": False,
            "normalize": True,
            "dry_run": True,
            "as_draft": True,
        },
    ),
    "GetSchema": ("get_schema", ("id",), {}, {"schema_id": "id"}),
    "GetSchemaByVersion": ("get_schema_by_version", ("s", 3), {}, {"subject": "s", "version": "3"}),
    "GetLatestVersion": ("get_latest_version", ("s",), {}, {"subject": "s"}),
    "ListSchemas": (
        "list_schemas",
        (),
        {
            "subject_prefix": "o",
            "schema_type": SchemaType.AVRO,
            "state": "deprecated",
            "limit": 7,
            "offset": 2,
            "page_token": "t",
            "include_deleted": True,
        },
        {
            "subject_prefix": "o",
            "schema_type": 2,
            "state": 3,
            "limit": 7,
            "offset": 2,
            "page_token": "t",
            "include_deleted": True,
        },
    ),
    "UpdateSchemaMetadata": (
        "update_schema_metadata",
        ("id",),
        {"description": "", "tags": [], "metadata": {}, "state": SchemaState.DEPRECATED, "reason": "old"},
        {
            "schema_id": "id",
            "description": "",
            "tags": [],
            "metadata": {},
            "state": 3,
            "reason": "old",
            "clear_tags": True,
            "clear_metadata": True,
        },
    ),
    "DeleteSchema": ("delete_schema", ("id",), {}, {"schema_id": "id", "soft_delete": True}),
    "ListVersions": (
        "list_versions",
        ("s",),
        {"limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
        {"subject": "s", "limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
    ),
    "ValidateData": (
        "validate_data",
        ("id", [1, None]),
        {
            "strict": True,
            "encoding": DataEncoding.AVRO_JSON,
            "message_name": "a.B",
            "max_errors": 5,
        },
        {
            "schema_id": "id",
            "data": b"[1,null]",
            "strict": True,
            "encoding": 3,
            "message_name": "a.B",
            "max_errors": 5,
        },
    ),
    "ValidateSchema": (
        "validate_schema",
        ('"int"', "avro"),
        {"references": [REFERENCE]},
        {"schema_content": b'"int"', "schema_type": 2, "references": SENT_REFERENCE},
    ),
    "BatchValidate": (
        "validate_many",
        ([ValidationItem("id", b"\x00", True, "binary", "m", 2)],),
        {},
        {
            "schema_id": "id",
            "data": b"\x00",
            "strict": True,
            "encoding": 2,
            "message_name": "m",
            "max_errors": 2,
        },
    ),
    "CheckCompatibility": (
        "check_compatibility",
        ("s", True),
        {"level": "FULL", "compare_version": 2, "references": [REFERENCE], "schema_type": "JSON"},
        {
            "subject": "s",
            "new_schema": b"true",
            "level": 3,
            "compare_version": "2",
            "references": SENT_REFERENCE,
            "schema_type": 1,
        },
    ),
    "BatchCheckCompatibility": (
        "check_many",
        ([CheckItem("s", "x", "FULL", "1.0.0", (REFERENCE,), "AVRO")],),
        {},
        {
            "subject": "s",
            "new_schema": b"x",
            "level": 3,
            "compare_version": "1.0.0",
            "references": SENT_REFERENCE,
            "schema_type": 2,
        },
    ),
    "DiffSchemas": (
        "diff_schemas",
        (SchemaOperand("s", 2), SchemaOperand(content=True, schema_type="json", references=(REFERENCE,))),
        {},
        {
            "old": {"subject": "s", "version": "2"},
            "new": {"schema_content": b"true", "schema_type": 1, "references": SENT_REFERENCE},
        },
    ),
    "ConvertSchema": (
        "convert_schema",
        (SchemaOperand(schema_id="id"), "avro"),
        {"message_name": "m", "data": {"a": 1}},
        {"source": {"schema_id": "id"}, "target_type": 2, "message_name": "m", "data": b'{"a":1}'},
    ),
    "GetStatistics": ("get_statistics", (), {"fresh": True}, {"fresh": True}),
    "SearchSchemas": (
        "search_schemas",
        ("q",),
        {
            "subject_pattern": "o*",
            "schema_type": "PROTOBUF",
            "tags": ["a"],
            "metadata": {"k": "v"},
            "latest_only": True,
            "order_by": "name",
            "limit": 2,
            "offset": 1,
            "page_token": "t",
        },
        {
            "query": "q",
            "subject_pattern": "o*",
            "schema_type": 3,
            "tags": ["a"],
            "metadata_filters": {"k": "v"},
            "latest_only": True,
            "order_by": 2,
            "limit": 2,
            "offset": 1,
            "page_token": "t",
        },
    ),
    "GetDependencies": (
        "get_dependencies",
        ("id",),
        {"transitive": True, "limit": 2, "page_token": "t"},
        {"schema_id": "id", "transitive": True, "limit": 2, "page_token": "t"},
    ),
    "GetDependents": (
        "get_dependents",
        ("id",),
        {"transitive": True, "limit": 2, "page_token": "t"},
        {"schema_id": "id", "transitive": True, "limit": 2, "page_token": "t"},
    ),
    "ListSubjects": (
        "list_subjects",
        (),
        {"prefix": "o", "limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
        {"prefix": "o", "limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
    ),
    "GetSubjectVersions": (
        "get_subject_versions",
        ("s",),
        {"include_deleted": True, "limit": 2, "page_token": "t"},
        {"subject": "s", "include_deleted": True, "limit": 2, "page_token": "t"},
    ),
    "StreamSchemaChanges": (
        "watch",
        (),
        {
            "subjects": ["o*"],
            "event_types": ["SCHEMA_REGISTERED", 3],
            "from_revision": "r.1",
            "include_schema": True,
            "heartbeat": 2.5,
            "heartbeats": True,
        },
        {
            "subjects": ["o*"],
            "event_types": [1, 3],
            "from_revision": "r.1",
            "include_schema": True,
            "heartbeat_interval": {"seconds": 2, "nanos": 500_000_000},
        },
    ),
    "HealthCheck": ("health_check", (), {}, {}),
    "GetConfig": ("get_config", ("s",), {"context": ".c"}, {"subject": "s", "context": ".c"}),
    "SetConfig": (
        "set_config",
        ("s",),
        {
            "context": ".c",
            "compatibility_level": "NONE",
            "mode": "READONLY",
            "strictness": "WIRE",
            "writer_model": "DECLARED_KEYS",
            "apply_defaults": False,
            "format_policy": "ASSERT",
            "undecided": "ALLOW",
            "default_dialect": "d",
        },
        {
            "subject": "s",
            "context": ".c",
            "config": {
                "compatibility_level": 7,
                "mode": 2,
                "strictness": 1,
                "writer_model": 2,
                "apply_defaults": False,
                "format_policy": 2,
                "undecided": 2,
                "default_dialect": "d",
            },
        },
    ),
    "DeleteConfig": ("delete_config", ("s",), {"context": ".c"}, {"subject": "s", "context": ".c"}),
    "UndeleteSchema": ("undelete_schema", ("id",), {}, {"schema_id": "id"}),
    "DeleteSubject": ("delete_subject", ("s",), {"permanent": True}, {"subject": "s", "permanent": True}),
    "GetSchemaHistory": (
        "get_schema_history",
        ("id",),
        {"limit": 2, "page_token": "t"},
        {"schema_id": "id", "limit": 2, "page_token": "t"},
    ),
}
"""RPC -> method, arguments, and the request that must arrive."""

RENAMED = {"schema_content": "content", "total_count": "total", "versions": "items", "subjects": "items"}
RENAMED_IN = {"SearchSchemasResponse": {"schemas": "items"}}
"""Fields of the wire whose name in the SDK differs."""


def test_every_rpc_of_the_api_has_a_method() -> None:
    assert {method.name for method in METHODS.values()} == set(CALLS)
    for method, *_ in CALLS.values():
        assert callable(getattr(SchemaRegistry, method))
        assert callable(getattr(AsyncSchemaRegistry, method))


def test_both_clients_have_the_same_public_methods() -> None:
    blocking, asynchronous = (
        {n for n in dir(c) if n[0] != "_"} for c in (SchemaRegistry, AsyncSchemaRegistry)
    )
    assert blocking == asynchronous


@pytest.mark.parametrize("rpc", CALLS)
async def test_arguments_arrive_whole_and_answers_return_whole(
    rpc: str, fake: FakeRegistry, client: Face
) -> None:
    method, args, kwargs, expected = CALLS[rpc]
    answer = filled(described(rpc))
    fake.script(rpc, answers(answer))

    call = getattr(client, method)(*args, **kwargs)
    if hasattr(call, "__aiter__"):
        result = (await collect(call, 1))[0]
        await call.aclose()
    else:
        result = await call

    request = fake.calls[rpc][0].request
    assert plain(request, expected) == expected
    assert unset(request, expected) == []
    if result is not None:
        assert_whole(answer, result)


def plain(message: Any, like: dict[str, Any]) -> dict[str, Any]:
    """The named fields of a message as plain values."""
    result: dict[str, Any] = {}
    for name, example in like.items():
        value = getattr(message, name)
        if isinstance(example, dict) and hasattr(value, "DESCRIPTOR"):
            value = plain(value, example)
        elif isinstance(example, dict):
            value = dict(value)
        elif isinstance(example, list):
            value = [plain(v, e) if isinstance(e, dict) else v for v, e in zip(value, example, strict=True)]
        result[name] = value
    return result


def unset(message: Any, expected: dict[str, Any]) -> list[str]:
    """Fields that arrived although nobody set them."""
    return [f.name for f, _ in message.ListFields() if f.name not in expected]


def assert_whole(message: Any, value: Any) -> None:
    """Every field of the wire is in the value, under its name and equal."""
    if isinstance(value, tuple):
        (listed,) = (f.name for f in message.DESCRIPTOR.fields if f.is_repeated)
        token = getattr(value, "next_page_token", "")
        value = {"subject": "subject-1", listed: value, "next_page_token": token}  # the subject was asked for
    elif message.DESCRIPTOR.name in (
        "GetSchemaResponse",
        "UpdateSchemaMetadataResponse",
        "UndeleteSchemaResponse",
    ):
        value = {"schema": value}
    for f, sent in message.ListFields():
        if f.name == "index":
            continue  # the client counts itself, because a new connection begins at 0 again
        names = RENAMED | RENAMED_IN.get(message.DESCRIPTOR.name, {})
        name = names.get(f.name, f.name)
        got = value[f.name] if isinstance(value, dict) else getattr(value, name, getattr(value, f.name, None))
        assert_equal(f, sent, got)


def assert_equal(f: Any, sent: Any, got: Any) -> None:
    if f.message_type is not None and f.message_type.GetOptions().map_entry:
        assert set(sent) == set(got)
        for key, item in sent.items():
            assert_whole(item, got[key]) if hasattr(item, "DESCRIPTOR") else check(item, got[key])
    elif f.is_repeated:
        assert len(sent) == len(got) == 1
        assert_equal_one(sent[0], got[0])
    else:
        assert_equal_one(sent, got)


def assert_equal_one(sent: Any, got: Any) -> None:
    if hasattr(sent, "ToDatetime"):
        check(sent.ToDatetime().timestamp(), got.replace(tzinfo=None).timestamp())
    elif dataclasses.is_dataclass(got):
        assert_whole(sent, got)
    else:
        check(sent, got.number if isinstance(got, WireEnum) else got)


def check(sent: Any, got: Any) -> None:
    assert sent == got
