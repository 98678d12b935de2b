"""What `pull` writes, `import` reads back: subjects, versions, references, contents and descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import RegistryError, SchemaRegistry
from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.cli.manifest import path_of
from llm_schema_registry.enums import SchemaType
from tests.api.server import ServerProcess
from tests.cli.conftest import Cli

MONEY = 'syntax = "proto3";\npackage shop;\nmessage Money { int64 cents = 1; }\n'
MONEY_2 = 'syntax = "proto3";\npackage shop;\nmessage Money { int64 cents = 1; string currency = 2; }\n'
INVOICE = 'syntax = "proto3";\npackage shop;\nimport "m.proto";\nmessage Invoice { Money total = 1; }\n'
ODD = ("a..b", ".hidden", "with/slash", "x@1.0.0", "..", "ünïcode")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    home = tmp_path_factory.mktemp("pull")
    full, empty = ServerProcess(home / "full"), ServerProcess(home / "empty")
    with SchemaRegistry(full.grpc) as client:
        client.register_schema(
            "shop.money", MONEY, "PROTOBUF", description="Cents", tags=["t"], metadata={"k": "v"}
        )
        client.register_schema(
            "shop.invoice", INVOICE, "PROTOBUF", references=[("m.proto", "shop.money", "1.0.0")]
        )
        client.register_schema("shop.money", MONEY_2, "PROTOBUF")
        client.register_schema("orders", '{"type": "string"}\r\n')
        client.register_schema("orders", '{"type": ["string", "null"]}', version="3.1.4")
        client.register_schema("draft", "{}", as_draft=True)
        for name in accepted(client, ODD):
            client.register_schema(name, '"string"', "AVRO")
        client.register_schema(":.staging:orders", "true")
        for state in ("DEPRECATED", "ARCHIVED"):
            client.register_schema("states", {"title": state}, compatibility_level="NONE")
        archived, deprecated = client.get_subject_versions("states")
        for version, states in ((archived, ("DEPRECATED", "ARCHIVED")), (deprecated, ("DEPRECATED",))):
            for state in states:
                client.update_schema_metadata(version.schema_id, state=state)
        client.register_schema("states", {"title": "registered"}, auto_activate=False)
        client.register_schema("breaking", {"type": "string"}, compatibility_level="NONE")
        client.register_schema("breaking", {"type": "integer", "minLength": 1})
        client.set_config(
            "breaking", compatibility_level="FULL", writer_model="DECLARED_KEYS", lint="REFUSE_WARNINGS"
        )
        client.set_config(context=".staging", mode="READONLY")
        client.set_config(undecided="ALLOW")
    yield full.grpc, empty.grpc
    full.stop()
    empty.stop()


def accepted(client: SchemaRegistry, names: tuple[str, ...]) -> list[str]:
    """Those that the registry takes as subjects."""
    found = []
    for name in names:
        try:
            client.register_schema(name, '"string"', "AVRO", dry_run=True)
        except RegistryError:
            continue
        found.append(name)
    return found


def everything(server: str) -> dict[tuple[str, str], Any]:
    with SchemaRegistry(server) as client:
        return {
            (x.subject, x.version): (
                x.content,
                x.schema_type,
                {(r.name, r.subject, r.version) for r in x.references},
                x.description,
                x.tags,
                dict(x.metadata),
                x.state,
                x.compatibility_level,
            )
            for x in client.list_schemas()
        }


def settings(server: str) -> dict[tuple[str, str], Any]:
    with SchemaRegistry(server) as client:
        scopes = [(subject, "") for subject in client.iter_subjects()] + [("", ""), ("", ".staging")]
        return {
            (subject, context): client.get_config(subject, context=context).config
            for subject, context in scopes
        }


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_registry_goes_round(cli: Cli, servers: tuple[str, str], tmp_path: Path) -> None:
    full, empty = servers
    first, second = tmp_path / "first", tmp_path / "second"
    cli.target = full
    assert cli("pull", str(first), "--all-versions").code == Exit.OK
    cli.target = empty
    for _ in range(2):  # what is there already stays as it is
        ran = cli("import", str(first), "--restore")
        assert ran.code == Exit.OK, ran.out + ran.err
        assert everything(empty) == everything(full)
        assert settings(empty) == settings(full)
    assert {row[-2] for row in everything(full).values()} == {
        "DRAFT", "REGISTERED", "ACTIVE", "DEPRECATED", "ARCHIVED",
    }  # fmt: skip
    assert cli("pull", str(second), "--all-versions").code == Exit.OK
    assert files(second) == files(first)
    again = cli("import", str(first), "-o", "json").json["counts"]
    assert again["skipped"] == 3  # the draft, the registered and the archived one
    assert again["failed"] == 1  # its context is read-only
    assert again["unchanged"] == len(everything(full)) - 4


def test_the_latest_come_with_what_they_reference(cli: Cli, servers: tuple[str, str], tmp_path: Path) -> None:
    cli.target = servers[0]
    ran = cli("pull", str(tmp_path / "out"), "--prefix", "shop.")
    assert ran.out.startswith("3 versions of 2 subjects written to ")
    assert set(files(tmp_path / "out")) == {
        "manifest.jsonl",
        "settings.json", "shop/invoice.proto", "shop/money.proto", "shop/money@1.0.0.proto",
    }  # fmt: skip
    assert cli("pull", str(tmp_path / "one"), "orders").code == Exit.OK
    assert (tmp_path / "one" / "orders.json").read_bytes() == b'{"type": ["string", "null"]}'
    assert cli("pull", str(tmp_path / "none"), "no-such").code == Exit.NOT_FOUND
    assert not (tmp_path / "none").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_nothing_is_overwritten_without_force(cli: Cli, servers: tuple[str, str], tmp_path: Path) -> None:
    cli.target = servers[0]
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    ran = cli("pull", str(out))
    assert ran.code == Exit.USAGE
    assert "--force" in ran.err
    assert files(out) == {"mine.txt": b"mine"}

    assert cli("pull", str(out), "--force", "--all-versions").code == Exit.OK
    (out / "shop" / "money@1.0.0.proto").write_text("edited")
    assert cli("pull", str(out), "orders", "--force").code == Exit.OK
    # What the earlier pull wrote is gone, unless somebody edited it; what others wrote stays.
    assert set(files(out)) == {
        "manifest.jsonl",
        "settings.json",
        "orders.json",
        "mine.txt",
        "shop/money@1.0.0.proto",
    }


def test_an_edited_file_becomes_the_next_version(cli: Cli, servers: tuple[str, str], tmp_path: Path) -> None:
    cli.target = servers[0]
    out = tmp_path / "out"
    assert cli("pull", str(out), "shop.invoice").code == Exit.OK
    assert cli("import", str(out), "--prefix", "copy.").out == "2 schemas: 2 registered\n"
    text = (out / "shop" / "invoice.proto").read_text().replace("total = 1;", "total = 1; string note = 2;")
    (out / "shop" / "invoice.proto").write_text(text)
    rows = cli("import", str(out), "--prefix", "copy.", "-o", "json").json["rows"]
    assert {(r["subject"], r["outcome"], r["version"]) for r in rows} == {
        ("copy.shop.money", "UNCHANGED", "1.0.0"),
        ("copy.shop.invoice", "REGISTERED", "1.1.0"),
    }
    with SchemaRegistry(servers[0]) as client:
        for name in ("copy.shop.invoice", "copy.shop.money"):
            client.delete_subject(name)


@pytest.mark.parametrize(
    "line",
    [
        "7",
        "{}",
        '{"path": 1}',
        json.dumps({"path": "a.json", "subject": "a", "version": "1", "type": "KLINGON", "sha256": ""}),
    ],
)
def test_a_manifest_that_is_none_is_told_by_its_line(line: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "manifest.jsonl").write_text(f"\n{line}\n")
    ran = cli("import", str(tmp_path))
    assert ran.code == Exit.USAGE
    assert "manifest.jsonl:2: " in ran.err


def test_different_names_have_different_paths_inside_the_folder() -> None:
    names = [*ODD, "a.b", "a.%2E.b", "a/b", "../x", "a" * 300, "a" * 299, ":.staging:orders", "", "."]
    paths = [path_of(name, "", SchemaType.JSON) for name in names]
    assert len(set(paths)) == len(names)
    for path in paths:
        assert not path.is_absolute()
        assert not any(part in ("..", ".") or part.startswith(".") or len(part) > 255 for part in path.parts)
