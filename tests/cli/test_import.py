"""An import registers everything it can, in an order that works, and says what it could not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from llm_schema_registry import Code
from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import Failure, FakeRegistry, answers, fails


def write(root: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


async def accepts(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    request = await anext(requests)
    if b"incompatible" in request.schema_content:
        raise Failure(Code.FAILED_PRECONDITION, "not so", "INCOMPATIBLE_SCHEMA")
    if b"broken" in request.schema_content:
        raise Failure(Code.INVALID_ARGUMENT, "no schema", "INVALID_SCHEMA")
    created = b"known" not in request.schema_content
    yield pb.RegisterSchemaResponse(subject=request.subject, version="1.0.0", created=created)


def sent(fake: FakeRegistry) -> list[Any]:
    return [call.request for call in fake.calls["RegisterSchema"]]


def test_a_folder_is_registered_with_its_references_in_order(
    cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    write(
        tmp_path,
        {
            "a/order.proto": 'syntax = "proto3";\nimport "money.proto"; // import "gone.proto";\n',
            "money.proto": 'syntax = "proto3";\nimport "google/protobuf/timestamp.proto";\n',
            "b/order.json": {
                "properties": {"p": {"$ref": "../money.json#/a"}, "q": {"$ref": "https://x.test/id"}}
            },
            "money.json": {"$ref": "#/here"},
            "by-id.json": {"$id": "https://x.test/id"},
            "order.avsc": {
                "type": "record",
                "name": "Order",
                "namespace": "shop",
                "fields": [
                    {"name": "m", "type": ["null", "Money", {"type": "array", "items": "shop.Order"}]}
                ],
            },
            "z.avsc": {"type": "enum", "name": "shop.Money", "symbols": ["A"]},
            "notes.txt": "no schema",
        },
    )
    fake.script("RegisterSchema", accepts)
    fake.script("ListVersions", fails(Code.NOT_FOUND, reason="SUBJECT_NOT_FOUND"))

    ran = cli("import", str(tmp_path), "--prefix", "x-", "--level", "full", "--tag", "t")
    assert ran.code == 0
    assert ran.out == "7 schemas: 7 registered\n"
    requests = {(r.subject, r.schema_type): r for r in sent(fake)}
    used = {
        subject: {(x.name, x.subject) for x in request.references}
        for (subject, _), request in requests.items()
    }
    assert used["x-a.order"] == {("money.proto", "x-money")}
    assert used["x-b.order"] == {("../money.json", "x-money"), ("https://x.test/id", "x-by-id")}
    assert used["x-order"] == {("shop.Money", "x-z")}
    assert used["x-money"] == used["x-z"] == set()
    order = [r.subject for r in sent(fake)]
    assert order.index("x-z") < order.index("x-order")
    assert all(r.compatibility_level == pb.COMPATIBILITY_LEVEL_FULL and r.tags == ["t"] for r in sent(fake))


def test_files_that_refer_to_each_other_in_a_circle_are_named(
    cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    write(tmp_path, {"a.json": {"$ref": "b.json"}, "b.json": {"$ref": "a.json"}})
    fake.script("RegisterSchema", accepts)

    ran = cli("import", str(tmp_path))
    assert ran.code == Exit.USAGE
    assert "circle" in ran.err
    assert not sent(fake)


def test_revisions_are_registered_old_before_new(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    rows = [
        {"path": "src/a.json", "old": "1", "new": "2 incompatible"},
        {"path": "b.proto", "old": "known", "new": "broken"},
        {"path": "src/a.json", "old": "3", "new": {"four": 4}},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    fake.script("RegisterSchema", accepts)

    ran = cli("import", str(file), "-o", "json", "--parallel", "3")
    assert ran.code == Exit.NEGATIVE
    assert ran.json["counts"] == {
        "registered": 3,
        "unchanged": 1,
        "incompatible": 1,
        "invalid": 1,
        "failed": 0,
        "skipped": 0,
        "unchecked": 0,
    }
    a = [r.schema_content for r in sent(fake) if r.subject == "src.a"]
    assert a == [b"1", b"2 incompatible", b"3", b'{"four": 4}']
    assert {r.schema_type for r in sent(fake) if r.subject == "b"} == {pb.SCHEMA_TYPE_PROTOBUF}


def test_what_was_not_accepted_is_listed_with_the_reason(
    cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    write(tmp_path, {"good.json": "{}", "bad.json": "incompatible"})
    fake.script("RegisterSchema", accepts)

    ran = cli("import", str(tmp_path))
    assert ran.code == Exit.NEGATIVE
    assert "2 schemas: 1 registered, 1 incompatible" in ran.out
    assert "incompatible: bad.json\n  not so\n" in ran.out


def test_a_dry_run_knows_what_the_import_itself_brings(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "order.json": {"properties": {"p": {"$ref": "money.json"}}},
            "cart.json": {"properties": {"p": {"$ref": "money.json"}}, "title": "elsewhere"},
            "money.json": {},
        },
    )

    async def stores_nothing(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        request = await anext(requests)
        if request.references:
            raise Failure(Code.INVALID_ARGUMENT, "no subject 'money'", "REFERENCE_NOT_FOUND")
        yield pb.RegisterSchemaResponse(subject=request.subject, version="1.0.0", created=True)

    fake.script("RegisterSchema", stores_nothing)

    ran = cli("import", str(tmp_path), "--dry-run", "-o", "json")
    counts = ran.json["counts"]
    assert (ran.code, counts["registered"], counts["unchecked"], counts["failed"]) == (Exit.OK, 1, 2, 0)
    assert cli("import", str(tmp_path), "--dry-run").code == Exit.OK

    stored = cli("import", str(tmp_path), "-o", "json")
    assert (stored.code, stored.json["counts"]["failed"]) == (Exit.NEGATIVE, 2)


def test_an_import_ends_when_the_server_is_gone(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, {f"{n}.json": "{}" for n in range(20)})

    ran = cli("import", str(tmp_path), "--server", "localhost:1")
    assert ran.code == Exit.UNAVAILABLE


def test_a_line_that_is_no_revision_is_named(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"path": "a.json", "old": "1", "new": "2"}\n{"path": "a.json"}\n')

    ran = cli("import", str(file))
    assert ran.code == Exit.USAGE
    assert "pairs.jsonl:2" in ran.err


def test_a_folder_without_schemas_is_told(cli: Cli, tmp_path: Path) -> None:
    ran = cli("import", str(tmp_path))
    assert ran.code == Exit.USAGE
    assert "no schemas" in ran.err


def test_documents_beside_schemas_are_not_imported(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    schema_files = {"order.json": "{}", "validity.json": "{}", "valid.proto": 'syntax = "proto3";'}
    documents = {
        "order/valid-1.json": "{}",
        "order/Invalid_2.json": "{}",
        "valid/a.json": "{}",
        "x/invalid/b.json": "{}",
    }
    write(tmp_path, {**schema_files, **documents})
    fake.script("RegisterSchema", accepts)

    ran = cli("import", str(tmp_path))
    assert (ran.code, ran.out) == (0, "3 schemas: 3 registered\n")
    assert "skipped 4 documents" in ran.err


def test_the_level_of_a_subject_that_is_there_is_not_changed_by_an_import(
    cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    write(tmp_path, {"order.json": "{}"})
    fake.script("ListVersions", answers(pb.ListVersionsResponse(versions=["1.0.0"])))
    effective = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_FULL)
    fake.script("GetConfig", answers(config_pb2.GetConfigResponse(effective=effective)))
    fake.script("RegisterSchema", accepts)

    ran = cli("import", str(tmp_path), "--level", "none")
    assert ran.code == Exit.NEGATIVE
    assert "schema-registry config set order --level none" in ran.out
    assert not fake.calls["RegisterSchema"]
    assert cli("import", str(tmp_path), "--level", "full").code == 0


def test_restoring_needs_a_folder_that_was_pulled(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, {"order.json": "{}"})
    ran = cli("import", str(tmp_path), "--restore")
    assert (ran.code, "manifest.jsonl" in ran.err) == (Exit.USAGE, True)
    ran = cli("import", str(tmp_path), "--restore", "--level", "none")
    assert (ran.code, "leave --level out" in ran.err) == (Exit.USAGE, True)
