"""FastAPI: bodies and answers that are valid under a subject, and their schemas in OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest

from llm_schema_registry import AsyncSchemaRegistry, SchemaRegistry
from tests.api.server import ServerProcess

from .kit import TICKET, VALUE, WRONG, library


@pytest.fixture
def fastapi() -> Any:
    return library("fastapi")


@pytest.fixture
def idioms(fastapi: Any) -> Any:
    return library("llm_schema_registry.integrations.fastapi")


@pytest.fixture
async def registry_of_the_loop(server: ServerProcess) -> AsyncIterator[AsyncSchemaRegistry]:
    async with AsyncSchemaRegistry(server.grpc) as made:
        yield made


def asking(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service")


async def test_a_class_of_the_registry_is_a_body_and_an_answer(
    fastapi: Any, registry: SchemaRegistry, ticket: str
) -> None:
    kind: Any = registry.model(f"{ticket}@^1")
    app = fastapi.FastAPI()

    async def save(ticket: Any) -> Any:
        return {"ticket": ticket.model_dump()}

    async def show(bad: bool = False) -> Any:
        return WRONG if bad else VALUE

    save.__annotations__["ticket"] = kind
    app.post("/tickets")(save)
    app.get("/ticket", response_model=kind)(show)
    async with asking(app) as client:
        assert (await client.post("/tickets", json=VALUE)).json() == {"ticket": VALUE}
        refused = await client.post("/tickets", json=WRONG)
        assert refused.status_code == 422
        assert [e["loc"] for e in refused.json()["detail"]] == [["body", "tags"]]
        assert (await client.get("/ticket")).json() == VALUE
        with pytest.raises(fastapi.exceptions.ResponseValidationError):
            await client.get("/ticket?bad=true")
        described = (await client.get("/openapi.json")).json()
    assert TICKET["properties"]["tags"] in [
        held.get("properties", {}).get("tags") for held in described["components"]["schemas"].values()
    ]


async def test_a_body_follows_the_versions_of_its_subject(
    fastapi: Any, idioms: Any, registry_of_the_loop: AsyncSchemaRegistry, subject: str
) -> None:
    registry = registry_of_the_loop
    await registry.register_schema(subject, TICKET)
    first = await registry.get_latest_version(subject)
    heard: Any = library("asyncio").Event()
    cache = await registry.cached([subject], on_change=lambda change: heard.set()).start()
    app = fastapi.FastAPI()
    body = idioms.SchemaBody(cache, f"{subject}@^1", max_bytes=1000)

    async def save(ticket: Any) -> Any:
        return ticket

    save.__annotations__["ticket"] = Annotated[dict[str, Any], fastapi.Depends(body)]
    app.post("/tickets", openapi_extra=idioms.openapi_body(first))(save)
    async with asking(app) as client:
        assert (await client.post("/tickets", json=VALUE)).json() == VALUE
        more = {**VALUE, "channel": "mail"}
        refused = await client.post("/tickets", json=more)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["type"] == "additionalProperties"
        assert (await client.post("/tickets", content=b"{")).status_code == 422
        assert (await client.post("/tickets", json={"x": "y" * 2000})).status_code == 413
        properties = {**TICKET["properties"], "channel": {"type": "string"}}
        await registry.register_schema(subject, {**TICKET, "properties": properties})
        await heard.wait()
        assert (await client.post("/tickets", json=more)).json() == more
        described = (await client.get("/openapi.json")).json()
    sent = described["paths"]["/tickets"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert sent["properties"] == TICKET["properties"]
    await cache.close()


def test_a_version_is_no_selector(idioms: Any, registry: SchemaRegistry, ticket: str) -> None:
    with pytest.raises(TypeError, match="a version never changes"):
        idioms.SchemaBody(None, registry.get_latest_version(ticket))
