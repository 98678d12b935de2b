"""Local validation gives the server's own report: examples of every schema type, and made-up data."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry import (
    AsyncSchemaRegistry,
    InvalidRequest,
    SchemaNotFound,
    SchemaRegistry,
    ValidationReport,
)
from tests.api.server import ROOT, ServerProcess
from tests.sdk.conftest import Face, connect

MONEY = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"amount": {"type": "integer", "minimum": 0}, "currency": {"enum": ["EUR", "USD"]}},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "price": {"$ref": "money.json"},
        "lines": {"type": "array", "items": {"$ref": "money.json"}, "maxItems": 3},
    },
    "required": ["id"],
}
OLD_DIALECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "dependencies": {"a": ["b"]}}
AVRO_MONEY = {"type": "record", "name": "shop.Money", "fields": [{"name": "amount", "type": "long"}]}
AVRO_ORDER = {
    "type": "record",
    "name": "shop.Order",
    "fields": [{"name": "price", "type": "shop.Money"}, {"name": "note", "type": ["null", "string"]}],
}
PROTO_MONEY = 'syntax = "proto3";\npackage shop;\nmessage Money { int64 amount = 1; }\n'
PROTO_ORDER = (
    'syntax = "proto3";\npackage shop;\nimport "money.proto";\n'
    "message Order { Money price = 1; string note = 2; }\nmessage Other { bool b = 1; }\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("local"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ids(server: ServerProcess) -> dict[str, str]:
    """Schema ids by name."""
    with SchemaRegistry(server.grpc) as registry:
        registry.set_config("asserted", format_policy="ASSERT")
        registry.set_config("draft7", default_dialect="http://json-schema.org/draft-07/schema#")
        registry.register_schema("money", MONEY)
        registry.register_schema("money.avro", AVRO_MONEY, "avro")
        registry.register_schema("money.proto", PROTO_MONEY, "protobuf")
        made = {
            "json": registry.register_schema("order", ORDER, references=[("money.json", "money")]),
            "asserted": registry.register_schema("asserted", ORDER, references=[("money.json", "money")]),
            "draft7": registry.register_schema("draft7", OLD_DIALECT),
            "avro": registry.register_schema(
                "order.avro", AVRO_ORDER, "avro", references=[("shop.Money", "money.avro")]
            ),
            "protobuf": registry.register_schema(
                "order.proto", PROTO_ORDER, "protobuf", references=[("money.proto", "money.proto")]
            ),
        }
        return {name: registration.schema_id for name, registration in made.items()}


@pytest.fixture
async def registry(server: ServerProcess, kind: str) -> AsyncIterator[Face]:
    async with connect(kind, server.grpc) as face:
        yield face


def binary(value: Any) -> bytes:
    out = io.BytesIO()
    money = fastavro.parse_schema(AVRO_MONEY, named := {})
    assert money
    fastavro.schemaless_writer(out, fastavro.parse_schema(AVRO_ORDER, named), value)
    return out.getvalue()


EXAMPLES: list[tuple[str, Any, dict[str, Any]]] = [
    ("json", {"id": "0190b7c8-0000-7000-8000-000000000001", "price": {"amount": 1, "currency": "EUR"}}, {}),
    (
        "json",
        {"id": "no uuid", "price": {"amount": -1, "currency": "GBP", "x": 1}, "lines": [1, 2, 3, 4]},
        {},
    ),
    ("json", {"id": "a", "more": 1}, {"strict": True}),
    ("json", {"lines": [{}] * 3, "price": 7}, {"max_errors": 2}),
    ("json", "{not json", {}),
    ("json", b"\xff", {}),
    ("asserted", {"id": "no uuid"}, {}),
    ("draft7", {"a": 1}, {}),
    ("draft7", {"a": 1, "b": 2}, {}),
    ("avro", {"price": {"amount": 1}, "note": None}, {}),
    ("avro", {"price": {"amount": "1"}, "note": 7}, {}),
    ("avro", binary({"price": {"amount": 1}, "note": "x"}), {"encoding": "BINARY"}),
    ("avro", binary({"price": {"amount": 1}, "note": "x"})[:-1], {"encoding": "BINARY"}),
    ("avro", {"price": {"amount": 1}, "note": {"string": "x"}}, {"encoding": "avro_json"}),
    ("protobuf", {"price": {"amount": "1"}, "note": "x"}, {}),
    ("protobuf", {"price": {"amount": 1}, "nope": "x"}, {}),
    ("protobuf", b"\x12\x01x", {"encoding": "binary"}),
    ("protobuf", b"\x12\x05x", {"encoding": "binary"}),
    ("protobuf", {"b": True}, {"message_name": "shop.Other"}),
]


def without_time(report: ValidationReport) -> ValidationReport:
    return dataclasses.replace(report, validation_time_ms=0.0)


@pytest.mark.parametrize(("schema", "data", "fields"), EXAMPLES)
async def test_the_local_report_is_the_servers(
    registry: Face, ids: dict[str, str], schema: str, data: Any, fields: dict[str, Any]
) -> None:
    here = await registry.validate_locally(ids[schema], data, **fields)
    there = await registry.validate_data(ids[schema], data, **fields)

    assert without_time(here) == without_time(there)
    assert here.version == "1.0.0"


def test_the_examples_are_valid_and_invalid_ones(server: ServerProcess, ids: dict[str, str]) -> None:
    with SchemaRegistry(server.grpc) as registry:
        verdicts = {
            (schema, registry.validate_data(ids[schema], data, **fields).valid)
            for schema, data, fields in EXAMPLES
        }
    assert verdicts >= {
        (schema, valid) for schema in ("json", "draft7", "avro", "protobuf") for valid in (True, False)
    }
    assert ("asserted", False) in verdicts


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"max_errors": 101}, "max_errors"),
        ({"message_name": "shop.Nobody"}, "message_name"),
        ({"max_errors": -1}, "max_errors"),
    ],
)
async def test_a_wrong_request_is_refused_as_the_server_does(
    registry: Face, ids: dict[str, str], fields: dict[str, Any], field: str
) -> None:
    for call in (registry.validate_locally, registry.validate_data):
        with pytest.raises(InvalidRequest) as caught:
            await call(ids["protobuf"], {}, **fields)
        assert [v.field for v in caught.value.violations] == [field]


async def test_a_schema_that_is_not_there_is_told(registry: Face) -> None:
    with pytest.raises(SchemaNotFound):
        await registry.validate_locally("0190b7c8-0000-7000-8000-000000000009", {})


async def test_a_subject_and_a_selector_choose_the_schema(registry: Face, ids: dict[str, str]) -> None:
    report = await registry.validate_locally(subject="order", version="^1.0", data={"id": "a"})
    assert (bool(report), report.schema_id, report.subject) == (True, ids["json"], "order")


async def test_a_large_payload_is_validated_too(registry: Face, ids: dict[str, str]) -> None:
    data = json.dumps({"id": "a" * 100_000, "lines": "x"})
    here = await registry.validate_locally(ids["json"], data)
    assert without_time(here) == without_time(await registry.validate_data(ids["json"], data))


def test_validating_again_makes_no_call(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = ServerProcess(tmp_path_factory.mktemp("gone"))
    with SchemaRegistry(server.grpc, timeout=10) as registry:
        made = registry.register_schema("money", MONEY)
        used = registry.register_schema("order", ORDER, references=[("money.json", "money")])
        assert made.created
        assert not registry.validate_locally(used.schema_id, {"id": 7})
        server.stop()
        assert not registry.validate_locally(used.schema_id, {"id": "a", "price": {}})
        assert registry.validate_locally(used.schema_id, {"id": "a"})


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)
money = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.integers() | values,
        "currency": st.sampled_from(["EUR", "GBP"]) | values,
        "x": values,
    },
)
orders = st.fixed_dictionaries(
    {},
    optional={
        "id": st.uuids().map(str) | values,
        "price": money | values,
        "lines": st.lists(money, max_size=5) | values,
        "note": st.none() | st.text() | values,
        "a": values,
        "b": values,
    },
)


def test_made_up_data_has_the_same_report_here_and_there(server: ServerProcess, ids: dict[str, str]) -> None:
    with SchemaRegistry(server.grpc) as registry:

        @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(sorted(ids)), orders | values, st.booleans(), st.integers(0, 100))
        def same(schema: str, data: Any, strict: bool, max_errors: int) -> None:
            text = json.dumps(data)
            fields: dict[str, Any] = {"strict": strict, "max_errors": max_errors}
            here = registry.validate_locally(ids[schema], text, **fields)
            assert without_time(here) == without_time(registry.validate_data(ids[schema], text, **fields))

        same()


def test_without_the_engines_the_error_names_what_to_install(
    server: ServerProcess, ids: dict[str, str]
) -> None:
    program = f"""
import sys
sys.modules["llm_schema_engines"] = None
from llm_schema_registry import SchemaRegistry
registry = SchemaRegistry({server.grpc!r})
registry.validate_data({ids["json"]!r}, {{}})
registry.validate_locally({ids["json"]!r}, {{}})
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "clients" / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        "ModuleNotFoundError: local validation needs the engines: pip install 'llm-schema-registry[engines]'"
        in ran.stderr
    )


def test_the_engines_are_imported_only_when_used() -> None:
    program = "import sys, llm_schema_registry; assert 'llm_schema_engines' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT / "clients" / "python")}, check=True
    )


async def test_an_asyncio_client_keeps_its_validators(server: ServerProcess, ids: dict[str, str]) -> None:
    async with AsyncSchemaRegistry(server.grpc) as registry:
        first = await registry._compiled(ids["json"], None)
        assert first is await registry._compiled(ids["json"], None)
