"""Every back end: one version in a moment of its own, by id or as a selector says, with its content when that is short."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.model.selection import choose
from llm_schema_registry_server.model.selector import (
    Exact,
    Latest,
    Ordinal,
    Single,
)
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import (
    INLINE_CONTENT_BYTES,
    StampedVersions,
    VersionWithContent,
)
from tests.support.storage import START, content, insert, version

ORDERS = Subject.parse("orders")
NUMBERS = (
    "1.0.0",
    "1.0.0-rc.1",
    "1.0.0-rc.2",
    "1.2.0+build.7",
    "0.0.0-draft.4",
    "10.0.0",
    "2.0.0",
    "2.0.0-a.0",
)


async def kept(store: Store, text: str, subject: str = "orders", damaged: bool = False) -> SchemaVersion:
    """A version whose bytes are `text`."""
    stored = content(text)
    made = version(
        subject, identity=f"identity of {hashlib.sha256(text.encode()).hexdigest()}", size=len(stored.content)
    )
    if damaged:
        stored = replace(stored, digest=content("other").digest)
    async with store.write() as tx:
        await tx.put_content(made.identity, stored)
        await tx.insert_version(made, ())
    return made


async def test_a_version_comes_with_its_content(store: Store) -> None:
    made = await kept(store, "{}")
    gone = replace(made, deleted_at=START, revision=9)
    wanted = VersionWithContent(made, StoredContent(b"{}", content("{}").digest, b"{}", b""))

    assert await store.version(made.schema_id) == wanted
    for selector in (Latest(), Ordinal(1), Exact(made.version)):
        assert await store.selected(ORDERS, selector) == wanted
    async with store.write() as tx:
        await tx.lock_subject(ORDERS)
        await tx.update_version(gone)
    assert await store.version(made.schema_id) == VersionWithContent(gone, wanted.content)
    assert await store.selected(ORDERS, Latest()) is None
    assert await store.version("nothing") is None


async def test_a_long_content_does_not_come_along(store: Store) -> None:
    short, long = (
        await kept(store, "x" * INLINE_CONTENT_BYTES, "short"),
        await kept(store, "x" * (INLINE_CONTENT_BYTES + 1), "long"),
    )

    found = await store.version(short.schema_id)
    assert found == VersionWithContent(short, content("x" * INLINE_CONTENT_BYTES))
    assert await store.version(long.schema_id) == VersionWithContent(long)
    assert await store.selected(long.subject, Latest()) == VersionWithContent(long)


async def test_what_is_missing_or_damaged_does_not_come_along(store: Store) -> None:
    damaged, bare = await kept(store, "{}", damaged=True), version("bare")
    await insert(store, bare)

    assert await store.version(damaged.schema_id) == VersionWithContent(damaged)
    assert await store.version(bare.schema_id) == VersionWithContent(bare)


async def test_a_selector_does_not_see_other_subjects(store: Store) -> None:
    await insert(store, version("orders2"), version(":.ctx:orders"), version("order"))

    for selector in (Latest(), Ordinal(1), Exact(SemanticVersion(1, 1, 0))):
        assert await store.selected(ORDERS, selector) is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from(SchemaState), st.booleans()),
        max_size=6,
        unique_by=lambda cells: cells[0],
    ),
    ordinals=st.permutations(range(1, 7)),
)
async def test_a_selector_means_what_the_reference_says(
    store: Store, made: list[tuple[str, SchemaState, bool]], ordinals: list[int]
) -> None:
    subject = Subject.parse(f"s-{uuid.uuid4()}")
    versions = [
        version(
            str(subject),
            ordinal,
            version=SemanticVersion.parse(number),
            state=state,
            deleted_at=START if deleted else None,
        )
        for ordinal, (number, state, deleted) in zip(ordinals, made, strict=False)
    ]
    await insert(store, *versions)
    asked: list[Single] = [Latest(), *(Ordinal(n) for n in range(1, 8))]
    asked += [
        Exact(SemanticVersion.parse(number)) for number in (*NUMBERS, "1.2.0", "2.0.0+other", "2.0.0-a.1")
    ]

    async with store.read() as tx:
        for selector in asked:
            assert await tx.selected(subject, selector) == choose(versions, selector)
    for selector in asked:
        found = await store.selected(subject, selector)
        assert (found and found.version) == choose(versions, selector)


async def test_what_has_changed_since_a_revision_comes_with_the_stamp(store: Store) -> None:
    first, second = version(ordinal=1, revision=5), version(ordinal=2, revision=7)
    third = version(ordinal=3, revision=6, deleted_at=START)
    await insert(store, second, first, third, version("other", revision=9))

    for revision, found in ((0, [first, second, third]), (5, [second, third]), (6, [second]), (7, [])):
        assert await store.versions_since(ORDERS, revision) == StampedVersions((3, 7), found)
        async with store.read() as tx:
            assert await tx.versions_since(ORDERS, revision) == found
    assert await store.versions_since(Subject.parse("nobody"), 0) == StampedVersions((0, 0), [])
