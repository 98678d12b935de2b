"""Usage whose types are checked, never run: what an editor shows is what a caller gets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import assert_type

from llm_schema_registry import (
    AsyncSchemaRegistry,
    ChangeEvent,
    CompatibilityReport,
    Page,
    Registration,
    SchemaContent,
    SchemaInfo,
    SchemaRegistry,
    ValidationReport,
)
from llm_schema_registry.integrations.openai import ResponsesContract
from llm_schema_registry.integrations.pydantic import RegistryModel


def blocking(client: SchemaRegistry) -> None:
    assert_type(client.register_schema("s", {"type": "object"}, tags=["a"]), Registration)
    assert_type(client.get_schema("id", timeout=2), SchemaInfo)
    assert_type(client.get_content("id"), SchemaContent)
    assert_type(client.list_schemas(limit=2), Iterator[SchemaInfo])
    assert_type(client.list_subjects(), Page[str])
    assert_type(client.iter_subjects(prefix="o"), Iterator[str])
    assert_type(client.validate_many([("id", {"a": 1})], window=3), Iterator[ValidationReport])
    assert_type(client.model("s@^1"), type[RegistryModel])
    assert_type(client.register(int, "s"), Registration)
    assert_type(ResponsesContract.load(client, "s@^1"), ResponsesContract)
    for event in client.watch():
        assert_type(event, ChangeEvent)
    client.get_schema(7)  # type: ignore[arg-type]  # an id is text
    client.get_schema("id", tiemout=2)  # type: ignore[call-arg]  # misspelt
    client.validate_many([1, 2])  # type: ignore[list-item]  # no items


async def asynchronous(client: AsyncSchemaRegistry) -> None:
    assert_type(await client.register_schema("s", "{}"), Registration)
    assert_type(await client.get_content("id"), SchemaContent)
    assert_type(await client.model("s@^1"), type[RegistryModel])
    assert_type(await ResponsesContract.load_async(client, "s@^1"), ResponsesContract)
    assert_type(client.list_schemas(), AsyncGenerator[SchemaInfo, None])
    assert_type(client.iter_search("q"), AsyncGenerator[SchemaInfo, None])
    assert_type(client.check_many([("s", "{}")]), AsyncGenerator[CompatibilityReport, None])
    async for event in client.watch():
        assert_type(event, ChangeEvent)
    await client.get_schema(7)  # type: ignore[arg-type]  # an id is text
