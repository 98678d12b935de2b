"""What callers pass by mistake is refused with a TypeError that names the argument; what is obvious is accepted."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from llm_schema_registry import (
    AsyncSchemaRegistry,
    CheckItem,
    SchemaOperand,
    SchemaReference,
    SchemaRegistry,
    ValidationItem,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.sdk.conftest import Face, collect
from tests.sdk.fake_registry import FakeRegistry, answers, described, filled

ID = uuid.UUID("0190b7c8-0000-7000-8000-000000000001")


class Answer(pydantic.BaseModel):
    text: str
    sources: list[str] = pydantic.Field(default_factory=list, alias="from")


@dataclasses.dataclass
class Plain:
    text: str


WRONG: list[tuple[str, Callable[[Any], Any]]] = [
    ("tags", lambda c: c.register_schema("s", {}, tags="llm")),
    ("tags", lambda c: c.register_schema("s", {}, tags=b"llm")),
    ("tags", lambda c: c.register_schema("s", {}, tags={"llm": 1})),
    ("tags[1]", lambda c: c.register_schema("s", {}, tags=["a", 7])),
    ("tags", lambda c: c.update_schema_metadata("id", tags="llm")),
    ("tags", lambda c: c.search_schemas("q", tags="llm")),
    ("metadata", lambda c: c.register_schema("s", {}, metadata=["a"])),
    ("metadata['a']", lambda c: c.update_schema_metadata("id", metadata={"a": 1})),
    ("metadata", lambda c: c.search_schemas("q", metadata="a=b")),
    ("references", lambda c: c.register_schema("s", {}, references="money")),
    ("references", lambda c: c.validate_schema({}, references={"name": "a", "subject": "b"})),
    ("references", lambda c: c.check_compatibility("s", {}, references=b"money")),
    ("references[0]", lambda c: c.register_schema("s", {}, references=["money"])),
    ("references[0]", lambda c: c.register_schema("s", {}, references=[{"name": "a"}])),
    ("references[0]", lambda c: c.register_schema("s", {}, references=[{"name": "a", "subjct": "b"}])),
    ("references[0].version", lambda c: c.register_schema("s", {}, references=[("a", "b", None)])),
    ("references[0].subject", lambda c: c.register_schema("s", {}, references=[("a", 1)])),
    ("subject", lambda c: c.register_schema(7, {})),
    ("subject", lambda c: c.get_latest_version(b"s")),
    ("subject", lambda c: c.list_versions(None)),
    ("version", lambda c: c.get_schema_by_version("s", None)),
    ("version", lambda c: c.get_schema_by_version("s", True)),
    ("version", lambda c: c.validate_data(subject="s", version=1.5, data={})),
    ("compare_version", lambda c: c.check_compatibility("s", {}, compare_version=1.0)),
    ("schema_id", lambda c: c.get_schema(7)),
    ("schema_id", lambda c: c.get_content(b"id")),
    ("schema_id", lambda c: c.validate_data(7, {})),
    ("schema_id", lambda c: c.validate_data("id", {}, subject="s")),
    ("data", lambda c: c.validate_data("id")),
    ("schema_id", lambda c: c.validate_data(data={})),
    ("data", lambda c: c.validate_data("id", Answer)),
    ("data", lambda c: c.validate_data("id", {"at": {1, 2}})),
    ("data", lambda c: c.validate_data("id", Path("x"))),
    ("content", lambda c: c.register_schema("s", None)),
    ("content", lambda c: c.register_schema("s", 7)),
    ("content", lambda c: c.register_schema("s", Plain)),
    ("content", lambda c: c.register_schema("s", Answer(**{"text": "a", "from": []}))),
    ("old", lambda c: c.diff_schemas("s", SchemaOperand(content={}))),
    ("old.content", lambda c: c.diff_schemas(SchemaOperand(content=7), SchemaOperand(content={}))),
    ("source", lambda c: c.convert_schema({"type": "object"}, "avro")),
    ("data", lambda c: c.convert_schema(SchemaOperand(content={}), "avro", data={1, 2})),
    ("subjects", lambda c: c.watch(subjects="orders.a")),
    ("subjects", lambda c: c.watch(subjects=b"orders.a")),
    ("event_types", lambda c: c.watch(event_types="SCHEMA_REGISTERED")),
    ("from_revision", lambda c: c.watch(from_revision=7)),
    ("gather", lambda c: c.watch(gather="1s")),
    ("items", lambda c: c.validate_many("id")),
    ("items", lambda c: c.validate_many({"id": {}})),
    ("items", lambda c: c.check_many(b"id")),
]


@pytest.mark.parametrize(("argument", "call"), WRONG, ids=[f"{n}-{a}" for n, (a, _) in enumerate(WRONG)])
async def test_a_mistake_is_refused_by_the_name_of_the_argument(
    argument: str, call: Callable[[Any], Any], client: Face
) -> None:
    async def asked() -> None:
        result = call(client)
        await (result if hasattr(result, "__await__") else collect(result, 1))

    with pytest.raises(TypeError) as caught:
        await asked()
    assert argument in str(caught.value).split(":")[0], caught.value


@pytest.mark.parametrize("item", ["ab", {"id": {}}, ("id",), ("id", {}, 7), None])
async def test_an_item_that_is_none_is_refused(item: Any, client: Face) -> None:
    for stream in (client.validate_many([item]), client.check_many([item])):
        with pytest.raises(TypeError, match="items"):
            await collect(stream, 1)


@pytest.mark.parametrize("kind", [SchemaRegistry, AsyncSchemaRegistry])
def test_headers_of_a_client_are_pairs_or_a_mapping(kind: Any) -> None:
    assert kind(metadata={"X-Tenant": "blue"})._options.metadata == (("x-tenant", "blue"),)
    with pytest.raises(TypeError, match=r"metadata\[0\]"):
        kind(metadata=["ab"])
    with pytest.raises(TypeError, match="metadata"):
        kind(metadata="ab")
    with pytest.raises(TypeError, match=r"channel_options\[0\]"):
        kind(channel_options=["ab"])


async def registered(fake: FakeRegistry, client: Face, content: Any, **fields: Any) -> Any:
    fake.script("RegisterSchema", answers(filled(described("RegisterSchema"))))
    await client.register_schema("s", content, **fields)
    return fake.calls["RegisterSchema"][-1].request


async def test_a_schema_may_be_a_pydantic_class_or_a_file(
    fake: FakeRegistry, client: Face, tmp_path: Path
) -> None:
    request = await registered(fake, client, Answer)
    assert b'"from"' in request.schema_content
    assert request.schema_content.startswith(b'{"properties":')
    file = tmp_path / "a.json"
    file.write_bytes(b'{ "type": "object" }')
    assert (await registered(fake, client, file)).schema_content == b'{ "type": "object" }'


async def test_references_may_be_tuples_and_dicts(fake: FakeRegistry, client: Face) -> None:
    request = await registered(
        fake,
        client,
        {},
        references=[
            SchemaReference("a", "b", "^1.0"),
            ("a", "b"),
            ("a", "b", 2),
            {"name": "a", "subject": "b", "version": "1.0.0"},
        ],
    )
    assert [(r.name, r.subject, r.version) for r in request.references] == [
        ("a", "b", "^1.0"),
        ("a", "b", "latest"),
        ("a", "b", "2"),
        ("a", "b", "1.0.0"),
    ]


async def test_an_id_may_be_a_uuid(fake: FakeRegistry, client: Face) -> None:
    fake.script("GetSchema", answers(filled(described("GetSchema"))))
    await client.get_schema(ID)
    await client.get_content(ID)
    assert [call.request.schema_id for call in fake.calls["GetSchema"]] == [str(ID)] * 2


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (Answer(**{"text": "a", "from": ["b"]}), b'{"text":"a","from":["b"]}'),
        ([Answer(**{"text": "a", "from": []})], b'[{"text":"a","from":[]}]'),
        ({"id": ID, "plain": Plain("é")}, f'{{"id":"{ID}","plain":{{"text":"é"}}}}'.encode()),
        (("a", 1), b'["a",1]'),
        (None, b"null"),
    ],
)
async def test_data_may_hold_models_dataclasses_and_ids(
    fake: FakeRegistry, client: Face, data: Any, sent: bytes
) -> None:
    fake.script("ValidateData", answers(pb.ValidationReport(valid=True)))
    await client.validate_data(ID, data)
    assert fake.calls["ValidateData"][0].request.data == sent


async def test_data_is_validated_by_subject_and_selector(fake: FakeRegistry, client: Face) -> None:
    fake.script("ValidateData", answers(pb.ValidationReport(valid=True, subject="s", version="1.0.0")))
    fake.script("BatchValidate", *(answers(pb.ValidationReport(valid=yes)) for yes in (True, False)))
    report = await client.validate_data(subject="s", data={}, version=1)
    await client.validate_data(subject="s", data={})
    reports = [
        (await collect(client.validate_many([item])))[0]
        for item in (ValidationItem(None, {}, subject="s", version="^1"), ("id", {}))
    ]

    requests = [call.request for call in (*fake.calls["ValidateData"], *fake.calls["BatchValidate"])]
    assert [(r.schema_id, r.subject, r.version) for r in requests] == [
        ("", "s", "1"),
        ("", "s", "latest"),
        ("", "s", "^1"),
        ("id", "", ""),
    ]
    assert (report.subject, report.version) == ("s", "1.0.0")
    assert [bool(r) for r in reports] == [True, False]


async def test_reports_are_true_when_the_answer_is_yes(fake: FakeRegistry, client: Face) -> None:
    for yes in (True, False):
        fake.scripts.clear()
        fake.script("ValidateData", answers(pb.ValidationReport(valid=yes)))
        fake.script("ValidateSchema", answers(pb.SchemaValidationReport(valid=yes)))
        fake.script(
            "CheckCompatibility",
            answers(pb.CompatibilityReport(compatible=yes, verdict=pb.VERDICT_UNDECIDED)),
        )
        status = pb.HealthCheckResponse.STATUS_DEGRADED if yes else pb.HealthCheckResponse.STATUS_UNHEALTHY
        fake.script("HealthCheck", answers(pb.HealthCheckResponse(status=status)))
        assert bool(await client.validate_data("id", {})) is yes
        assert bool(await client.validate_schema({})) is yes
        assert bool(await client.check_compatibility("s", {})) is yes  # as the server decided UNDECIDED
        assert bool(await client.health_check()) is yes


def test_an_item_of_a_check_takes_what_the_call_takes() -> None:
    assert CheckItem("s", Answer).content is Answer
