"""A search whose answer is kept: given out again until anything changes, and only to who may read everything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.answer_cache import AnswerCache
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.authorize import Authorize
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.model.principal import READ, Principal
from llm_schema_registry_server.model.scope import Scope, SubjectScope
from llm_schema_registry_server.registry.use_cases import UseCases
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.convert import MessageConverter
from llm_schema_registry_server.rpc.large_answers import LargeAnswers
from llm_schema_registry_server.rpc.protobuf.rpcs import Rpcs, bind
from llm_schema_registry_server.rpc.schema_registry import SchemaRegistryService
from llm_schema_registry_server.storage import ranking
from tests.support.registry import World, world
from tests.unit.rpc.test_touched_resources import use_cases

METHODS = [m for m in methods.load() if m.service == "schema_registry.v1.SchemaRegistry"]
SEARCH = next(m for m in METHODS if m.name == "SearchSchemas")
ROOT = Principal("root", frozenset({READ}))
ADA = Principal("ada", scoped={READ: SubjectScope([Scope.parse("a.*")])})


@pytest.fixture
async def registry() -> AsyncIterator[World]:
    async with world() as made:
        yield made


class Served:
    """SearchSchemas behind the guard that authorizes; changes drop what is kept, as in a server."""

    def __init__(self, registry: World) -> None:
        self.cache = AnswerCache(1 << 20)
        registry.coherence.listen(lambda subject: self.cache.invalidate(str(subject)))
        use: UseCases = use_cases(registry)
        wire = MessageConverter(registry.store.registry_id)
        service = SchemaRegistryService(use, wire, registry.clock, LargeAnswers())
        pipeline = Pipeline(
            bind(METHODS, {"schema_registry.v1.SchemaRegistry": service}), (Authorize(),), self.cache
        )
        self.rpcs = Rpcs(METHODS, pipeline)

    async def search(
        self, query: str, principal: Principal = ROOT, **asked: object
    ) -> tuple[list[str], int, bool]:
        """The subjects that are found, how many in all, and whether the answer was there already."""
        request = pb.SearchSchemasRequest(query=query, **asked).SerializeToString()  # type: ignore[arg-type]
        call = Call(SEARCH.operation, {}, "", "grpc", "id-1", principal=principal)
        kept = self.rpcs.at_once(SEARCH, call, request)
        made = kept or await self.rpcs.unary(SEARCH, call, request)
        answer = pb.SearchSchemasResponse.FromString(made.body)
        return [found.subject for found in answer.schemas], answer.total_count, kept is not None


async def test_a_search_is_answered_from_what_is_kept_until_anything_changes(registry: World) -> None:
    await registry.register("a.orders", "x")
    served = Served(registry)

    assert await served.search("orders") == (["a.orders"], 1, False)
    assert await served.search("orders") == (["a.orders"], 1, True)
    await registry.register("b.orders", "x")
    assert await served.search("orders") == (["a.orders", "b.orders"], 2, False)
    assert await served.search("orders") == (["a.orders", "b.orders"], 2, True)
    await registry.register("users", "x")
    assert (await served.search("orders"))[2] is False
    assert (await served.search("orders", limit=1))[2] is False, "another question"


async def test_who_may_not_read_everything_neither_gets_nor_leaves_a_kept_search(registry: World) -> None:
    for name in ("a.orders", "b.orders"):
        await registry.register(name, "x")
    served = Served(registry)

    assert await served.search("orders", ADA) == (["a.orders"], 1, False)
    assert served.cache.stats().entries == 0
    assert await served.search("orders") == (["a.orders", "b.orders"], 2, False)
    for _ in range(2):
        assert await served.search("orders", ADA) == (["a.orders"], 1, False)
    assert await served.search("orders") == (["a.orders", "b.orders"], 2, True)


async def test_a_search_with_an_old_total_is_not_kept(
    registry: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "MOST_HITS", 1)
    for name in ("a.orders", "b.orders"):
        await registry.register(name, "x")
    served = Served(registry)

    assert await served.search("orders", limit=1) == (["a.orders"], 2, False)
    assert await served.search("orders", limit=1) == (["a.orders"], 2, True)
    await registry.register("c.orders", "x")
    for _ in range(2):
        assert await served.search("orders", limit=1) == (["a.orders"], 2, False)  # the total of before


async def test_a_search_that_leaves_out_what_cannot_be_read_is_not_kept(
    registry: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registry.register("a.orders", "x")
    served = Served(registry)

    async def nothing(versions: object) -> dict[str, object]:
        return {}

    with monkeypatch.context() as damaged:
        damaged.setattr(registry.library.contents, "of_all", nothing)
        for _ in range(2):
            assert await served.search("orders") == ([], 1, False)
    assert await served.search("orders") == (["a.orders"], 1, False)
    assert await served.search("orders") == (["a.orders"], 1, True)
