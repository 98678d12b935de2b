"""Every back end: a page holds no more bytes than it may, reads no more contents than it gives out, and its token goes on."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.model.schema import StoredContent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import paging, reading
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.reading import Reading
from llm_schema_registry_server.storage import search
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from llm_schema_registry_server.workers.inline import InlineWorkers
from tests.support.storage import insert, version

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
    made = [version("v", n, metadata={"k": "x" * 9000}, size=2) for n in range(1, 21)]
    await insert(store, *made)
    found = reads(store, page_bytes=50_000)

    first = await found.versions(Subject.parse("v"), limit=1000)
    rest = await found.versions(Subject.parse("v"), limit=1000, page_token=first.next_token)

    assert [v.ordinal for v in first.versions] == [1, 2, 3, 4, 5]
    assert [v.ordinal for v in rest.versions] == [6, 7, 8, 9, 10]
    assert first.total == rest.total == 20


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
        page = await listing.subjects("", limit=1000, offset=None, page_token=token)
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
    await insert(store, *(version("many", n) for n in range(1, 701)))
    async with store.read() as tx:
        kind = type(tx)
    scan_versions, steps = kind.scan_versions, list[int]()

    async def counting(self: Any, wanted: SchemaFilter, page: Page) -> Any:
        steps.append(page.limit)
        return await scan_versions(self, wanted, page)

    monkeypatch.setattr(kind, "scan_versions", counting)
    page = await reads(store, page_bytes=3 << 20).versions(Subject.parse("many"), limit=650)

    assert [v.ordinal for v in page.versions] == [*range(1, 651)]
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
