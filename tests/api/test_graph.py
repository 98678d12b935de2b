"""GetDependencies, GetDependents: direct and at any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import AVRO, PROTOBUF, is_refusal, refused, register
from .wires import CallFailed, Wire

Name = Callable[[str], str]


def uri(name: Name, subject: str) -> str:
    return f"https://example.com/{name(subject)}"


def add(wire: Wire, name: Name, subject: str, *uses: str) -> pb.RegisterSchemaResponse:
    """A JSON schema with this $id that refers to others by theirs."""
    refs = ", ".join(f'{{"$ref": "{uri(name, use)}"}}' for use in uses)
    content = f'{{"$id": "{uri(name, subject)}", "anyOf": [{{"type": "null"}}{", " if refs else ""}{refs}]}}'
    references = [
        pb.SchemaReference(name=uri(name, use), subject=name(use), version="latest") for use in uses
    ]
    return register(wire, name(subject), content.encode(), references=references)


@pytest.fixture
def diamond(wire: Wire, name: Name) -> dict[str, str]:
    """top uses left and right, both use base."""
    return {
        "base": add(wire, name, "base").schema_id,
        "left": add(wire, name, "left", "base").schema_id,
        "right": add(wire, name, "right", "base").schema_id,
        "top": add(wire, name, "top", "left", "right").schema_id,
    }


def asked(wire: Wire, rpc: str, schema_id: str, *, transitive: bool) -> list[tuple[str, int]]:
    kind: Any = {"GetDependencies": pb.GetDependenciesRequest, "GetDependents": pb.GetDependentsRequest}[rpc]
    answer = wire.call(rpc, kind(schema_id=schema_id, transitive=transitive))
    assert all(d.version == "1.0.0" and d.name for d in answer.dependencies)
    return sorted((d.subject.rpartition(".")[2], d.depth) for d in answer.dependencies)


def test_dependencies_are_direct_or_at_any_depth_each_once(wire: Wire, diamond: dict[str, str]) -> None:
    assert asked(wire, "GetDependencies", diamond["top"], transitive=False) == [("left", 1), ("right", 1)]
    assert asked(wire, "GetDependencies", diamond["top"], transitive=True) == [
        ("base", 2),
        ("left", 1),
        ("right", 1),
    ]
    assert asked(wire, "GetDependencies", diamond["base"], transitive=True) == []


def test_dependents_are_direct_or_at_any_depth_each_once(wire: Wire, diamond: dict[str, str]) -> None:
    assert asked(wire, "GetDependents", diamond["base"], transitive=False) == [("left", 1), ("right", 1)]
    assert asked(wire, "GetDependents", diamond["base"], transitive=True) == [
        ("left", 1),
        ("right", 1),
        ("top", 2),
    ]
    assert asked(wire, "GetDependents", diamond["top"], transitive=True) == []


def test_avro_types_and_protobuf_imports_are_dependencies_too(wire: Wire, name: Name) -> None:
    register(wire, name("key"), b'{"type": "enum", "name": "x.Key", "symbols": ["A"]}', AVRO)
    row = register(
        wire,
        name("row"),
        b'{"type": "record", "name": "x.Row", "fields": [{"name": "k", "type": "x.Key"}]}',
        AVRO,
        references=[pb.SchemaReference(name="x.Key", subject=name("key"), version="1")],
    )
    register(wire, name("base"), b'syntax = "proto3"; package x; message Base {}', PROTOBUF)
    user = register(
        wire,
        name("user"),
        b'syntax = "proto3"; package x; import "x/base.proto"; message User { Base b = 1; }',
        PROTOBUF,
        references=[pb.SchemaReference(name="x/base.proto", subject=name("base"), version="1")],
    )
    found = [
        wire.call("GetDependencies", pb.GetDependenciesRequest(schema_id=made.schema_id)).dependencies[0]
        for made in (row, user)
    ]

    assert [(d.subject, d.dependency_type) for d in found] == [
        (name("key"), "reference"),
        (name("base"), "import"),
    ]


@pytest.mark.parametrize("rpc", ["GetDependencies", "GetDependents"])
def test_an_unknown_id_has_no_graph(wire: Wire, rpc: str) -> None:
    kind: Any = {"GetDependencies": pb.GetDependenciesRequest, "GetDependents": pb.GetDependentsRequest}[rpc]

    refused(wire, rpc, kind(schema_id="nobody"), "NOT_FOUND", "SCHEMA_NOT_FOUND")


@pytest.mark.slow
def test_a_chain_of_references_may_be_a_hundred_deep(wire: Wire, name: Name) -> None:
    def add_message(number: int) -> None:
        before = f"m{number - 1}.proto"
        uses = f'import "{before}";\n' if number else ""
        field = f" M{number - 1} before = 1; " if number else ""
        content = f'syntax = "proto3";\n{uses}message M{number} {{{field}}}'
        references = [pb.SchemaReference(name=before, subject=name(f"s{number - 1}"), version="latest")]
        register(
            wire, name(f"s{number}"), content.encode(), schema_type=PROTOBUF, references=references[:number]
        )

    for number in range(101):
        add_message(number)
    with pytest.raises(CallFailed) as failed:
        add_message(101)
    error = is_refusal(wire, failed.value, "INVALID_ARGUMENT", "INVALID_REQUEST")
    assert "101 schemas stand below one another" in str(error)
    assert "limits.reference_depth" in str(error)
