"""Fixes of refused changes by the SDK, against a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry import AsyncSchemaRegistry, CompatibilityLevel, FixKind, SchemaRegistry
from tests.api.server import ServerProcess

OLD = {"type": "object", "properties": {"k": {"enum": ["a", "b"]}}, "additionalProperties": False}
NEW = {"type": "object", "properties": {"k": {"enum": ["a", "c"]}}, "additionalProperties": False}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path)
    yield running
    running.stop()


async def test_both_clients_find_the_same_fixes(server: ServerProcess) -> None:
    with SchemaRegistry(server.grpc) as registry:
        registry.register_schema("fixes.k", OLD, schema_type="JSON")
        found = registry.find_fixes("fixes.k", NEW)
        fine = registry.find_fixes("fixes.k", OLD)
    async with AsyncSchemaRegistry(server.grpc) as registry_:
        assert await registry_.find_fixes("fixes.k", NEW) == found

    assert found
    assert found.level is CompatibilityLevel.BACKWARD
    assert [(e.kind, e.place) for e in found.fixes[0].edits] == [(FixKind.KEEP_VALUES, "/properties/k/enum")]
    assert json.loads(found.fixes[0].content)["properties"]["k"]["enum"] == ["a", "c", "b"]
    assert [(p.version, p.direction) for p in found.fixes[0].proofs] == [("1.0.0", "backward")]
    assert not fine
    assert fine.compatible
