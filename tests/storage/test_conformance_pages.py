"""Every back end: a page holds no more bytes than it may, reads no more contents than it gives out, and its token goes on."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from llm_schema_registry_server.errors import InvalidRequest, LimitExceeded, PageTokenInvalid
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.schema import ResolvedReference, StoredContent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import paging, reading
from llm_schema_registry_server.registry.graph import ReferenceGraph
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.paging import bytes_of_name
from llm_schema_registry_server.registry.reading import Reading
from llm_schema_registry_server.storage import search
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from llm_schema_registry_server.workers.inline import InlineWorkers
from tests.support.storage import START, insert, version

CONTENT = 100_000
COUNT = 30
LIMITS = RequestLimits(
    schema_bytes=1 << 20, data_bytes=1 << 20, references=64, tags=50, metadata_bytes=10_000, page=1000
)


def reads(store: Store, page_bytes: int) -> Reading:
    library = Library(store, {}, InlineWorkers({}), cache_bytes=1, most_references=64)
    return Reading(store, library, replace(LIMITS, page_bytes=page_bytes))


async def fill(store: Store, count: int = COUNT, size: int = CONTENT, **cells: Any) -> list[str]:
    """Stores versions with contents of `size` bytes each, all different; their names, sorted."""
    names = [f"page.s{n:03}" for n in range(count)]
    async with store.write() as tx:
        for name in names:
            text = name.encode().ljust(size, b".")
            digest = hashlib.sha256(text).hexdigest()
            made = version(name, size=size, identity=digest, **cells)
            made = replace(made, fingerprints=replace(made.fingerprints, content=digest))
            await tx.put_content(digest, StoredContent(text, digest, b""))
            await tx.insert_version(made, ())
    return names


@pytest.fixture
def asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many contents the store was asked for, question by question."""
    counts: list[int] = []
    contents = store.contents

    async def counting(identities: Collection[str]) -> Mapping[str, StoredContent]:
        counts.append(len(identities))
        return await contents(identities)

    monkeypatch.setattr(store, "contents", counting)
    return counts


@pytest.mark.parametrize("text", ["", "page"], ids=["by name", "ranked"])
async def test_a_search_page_ends_before_its_bytes_and_reads_no_other_contents(
    store: Store, asked: list[int], text: str
) -> None:
    names = await fill(store)
    search_ = reads(store, page_bytes=3 * CONTENT + 10_000)
    seen: list[str] = []
    pages, token = 0, ""
    while True:
        page = await search_.search(SchemaFilter(text=text), limit=1000, offset=None, page_token=token)
        assert sum(len(item.content) for item in page.items) <= 3 * CONTENT
        assert page.total == COUNT
        seen += [str(item.version.subject) for item in page.items]
        pages, token = pages + 1, page.next_token
        if not token:
            break

    assert seen == names
    assert pages == COUNT / 3
    assert asked == [3] * pages


async def test_one_item_always_fits(store: Store, asked: list[int]) -> None:
    names = await fill(store, 3)
    found = reads(store, page_bytes=1024)

    page = await found.search(SchemaFilter(), limit=None, offset=None, page_token="")
    rest = await found.search(SchemaFilter(), limit=None, offset=1, page_token=page.next_token)

    assert [str(item.version.subject) for item in (*page.items, *rest.items)] == [names[0], names[2]]
    assert (rest.next_token, asked) == ("", [1, 1])


async def test_the_memory_of_a_search_and_of_a_stream_does_not_grow_with_what_there_is(store: Store) -> None:
    await fill(store, 60, 250_000)
    search_ = reads(store, page_bytes=1 << 20)

    tracemalloc.start()
    await search_.search(SchemaFilter(), limit=1000, offset=None, page_token="")
    async for _ in search_.scan(SchemaFilter(), limit=None, offset=None, page_token=""):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 6 << 20  # all of it is 15 MB


async def test_labels_count_as_bytes_of_a_page(store: Store) -> None:
    names = await fill(store, 20, 20, metadata={"k": "x" * 9000})
    found = reads(store, page_bytes=50_000)

    first = await found.search(SchemaFilter(), limit=1000, offset=None, page_token="")
    rest = await found.search(SchemaFilter(), limit=1000, offset=None, page_token=first.next_token)

    assert [str(item.version.subject) for item in (*first.items, *rest.items)] == names[:10]
    assert len(first.items) == 5
    assert first.total == rest.total == 20


async def test_versions_come_whole_or_in_pages(store: Store) -> None:
    await insert(store, *(version("many", n, metadata={"k": "x" * 1000}) for n in range(1, 451)))
    name, found = Subject.parse("many"), reads(store, page_bytes=20_000)

    whole = await reads(store, page_bytes=3 << 20).all_versions(name)
    with pytest.raises(LimitExceeded, match=r"limits\.page_bytes.*page_token"):
        await found.all_versions(name)
    seen: list[int] = []
    token = ""
    while True:
        page = await found.all_versions(name, limit=1000, page_token=token)
        assert sum(map(bytes_of_name, page.versions)) <= 20_000
        seen += [v.ordinal for v in page.versions]
        token = page.next_token
        if not token:
            break

    assert seen == [v.ordinal for v in whole.versions] == [*range(1, 451)]
    assert all(not v.metadata and not v.tags for v in whole.versions)


async def test_dependents_come_whole_or_in_pages(store: Store) -> None:
    used = version("used")
    reference = ResolvedReference("name", used.subject, 1, used.version, used.schema_id)
    users = [version(f"user-{n:03}", references=(reference,)) for n in range(450)]
    hidden = version("user-000a", references=(reference,), deleted_at=START)
    await insert(store, used, *users, hidden)
    graph = ReferenceGraph(store, replace(LIMITS, page_bytes=20_000))

    whole = await ReferenceGraph(store, LIMITS).dependents(used.schema_id, transitive=True)
    with pytest.raises(LimitExceeded, match=r"limits\.page_bytes.*page_token"):
        await graph.dependents(used.schema_id, transitive=True)
    seen: list[str] = []
    token = ""
    while True:
        page = await graph.dependents(used.schema_id, transitive=True, limit=1000, page_token=token)
        seen += [item.version.schema_id for item in page.items]
        token = page.next_token
        if not token:
            break
    of_another = await graph.dependents(used.schema_id, transitive=False, limit=3)
    with pytest.raises(PageTokenInvalid, match="another schema"):
        await graph.dependents(users[0].schema_id, transitive=False, page_token=of_another.next_token)

    assert seen == [item.version.schema_id for item in whole.items] == [v.schema_id for v in users]
    assert not any(item.version.references for item in whole.items)
    assert (await graph.dependencies(users[0].schema_id, transitive=True)).items[
        0
    ].version.subject == used.subject


async def test_a_history_comes_whole_or_in_pages(store: Store) -> None:
    made = version("v")
    await insert(store, made)
    steps = [
        Transition(
            made.schema_id,
            SchemaState.ACTIVE,
            SchemaState.ACTIVE,
            "update",
            "ada",
            START,
            f"{n} " + "r" * 200,
            {},
        )
        for n in range(450)
    ]
    async with store.write() as tx:
        for step in steps:
            await tx.record_transitions([step])
    found = reads(store, page_bytes=50_000)

    whole = await reads(store, page_bytes=3 << 20).history(made.schema_id)
    with pytest.raises(LimitExceeded, match=r"limits\.page_bytes.*page_token"):
        await found.history(made.schema_id)
    seen: list[str] = []
    token, pages = "", 0
    while True:
        page = await found.history(made.schema_id, limit=100, page_token=token)
        seen += [step.reason for step in page.steps]
        pages, token = pages + 1, page.next_token
        if not token:
            break

    assert seen == [step.reason for step in whole.steps] == [step.reason for step in steps]
    assert pages > 5
    other = version("other")
    await insert(store, other)
    first = await found.history(made.schema_id, limit=1)
    with pytest.raises(PageTokenInvalid, match="another schema"):
        await found.history(other.schema_id, page_token=first.next_token)


async def test_subjects_end_before_the_bytes_and_are_counted_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(f"subject-{n:04}-" + "x" * 200 for n in range(40))
    await insert(store, *(version(name) for name in names))
    listing, counted = reads(store, page_bytes=2048), 0
    async with store.read() as tx:
        kind = type(tx)
    count_subjects = kind.count_subjects

    async def counting(self: Any, **asked: Any) -> int:
        nonlocal counted
        counted += 1
        return await count_subjects(self, **asked)

    monkeypatch.setattr(kind, "count_subjects", counting)
    seen: list[str] = []
    token = ""
    while True:
        page = await listing.subjects("sub", limit=1000, offset=None, page_token=token)
        assert page.total == 40
        seen += map(str, page.subjects)
        token = page.next_token
        if not token:
            break

    assert seen == names
    assert counted == 1


async def test_long_lists_of_small_items_are_read_in_few_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await fill(store, 700, 20)
    async with store.read() as tx:
        kind = type(tx)
    scan_versions, steps = kind.scan_versions, list[int]()

    async def counting(self: Any, wanted: SchemaFilter, page: Page) -> Any:
        steps.append(page.limit)
        return await scan_versions(self, wanted, page)

    monkeypatch.setattr(kind, "scan_versions", counting)
    page = await reads(store, page_bytes=3 << 20).search(
        SchemaFilter(), limit=650, offset=None, page_token=""
    )

    assert [str(item.version.subject) for item in page.items] == names[:650]
    assert page.next_token
    assert steps == [paging.STEP + 1, 450 + 1]


async def test_a_stream_asks_for_few_contents_at_a_time(store: Store, asked: list[int]) -> None:
    names = await fill(store)

    found = [
        str(item.version.subject)
        async for item in reads(store, 3 << 20).scan(SchemaFilter(), limit=None, offset=None, page_token="")
    ]

    assert found == names
    assert max(asked) == reading.SCAN_BYTES // CONTENT


async def test_many_tags_are_one_flat_condition(store: Store) -> None:
    tags = tuple(f"tag-{n}" for n in range(2000))
    await insert(store, version("all", tags=tags), version("most", tags=tags[:-1]), version("none"))

    async with store.read() as tx:
        assert [str(v.subject) for v in await tx.scan_versions(SchemaFilter(tags=tags), Page(10))] == ["all"]
        assert await tx.count_versions(SchemaFilter(tags=tags[:-1], metadata={})) == 2
        assert await tx.count_versions(SchemaFilter(tags=(*tags[:-1], "other"))) == 0
    assert len(search.labels(tags, ())) == 2000


async def test_more_terms_than_the_limit_are_refused_by_name(store: Store) -> None:
    wanted = SchemaFilter(tags=tuple(map(str, range(90))), metadata={str(n): "" for n in range(11)})

    with pytest.raises(InvalidRequest, match=r"tags.*limits\.search_terms"):
        await reads(store, 3 << 20).search(wanted, limit=None, offset=None, page_token="")
