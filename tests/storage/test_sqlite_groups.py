"""SQLite: what transactions that share one COMMIT put off until then, and what the process remembers of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.change import Change, EventType, ServerEvent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import ReadTx
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.storage import change, version

ALL = Page(100)
LIMIT = 1000


async def named(tx: ReadTx, word: str) -> set[str]:
    return {str(v.subject) for v in await tx.scan_versions(SchemaFilter(text=word), ALL)}


async def add(sqlite: SqliteStore, subject: str, *, looks: bool = False, fails: bool = False) -> None:
    """A registration that searches before it ends, or fails."""
    async with sqlite.write() as tx:
        await asyncio.sleep(0)  # the others ask for the writer meanwhile, and join its group
        await tx.insert_version(version(subject, description="alpha"), ("beta",))
        if looks:
            assert subject in await named(tx, "alpha")
            assert subject in await named(tx, "beta")
        if fails:
            raise ConcurrentUpdate("it was to fail")


@pytest.mark.parametrize("looks", [False, True])
async def test_the_words_of_a_group_are_those_of_its_members_that_went_well(
    sqlite: SqliteStore, looks: bool
) -> None:
    done = await asyncio.gather(
        *(add(sqlite, f"s{n}", looks=looks and n % 2 == 0, fails=n % 3 == 1) for n in range(12)),
        return_exceptions=True,
    )

    kept = {f"s{n}" for n, ended in enumerate(done) if ended is None}
    assert kept == {f"s{n}" for n in range(12) if n % 3 != 1}
    async with sqlite.read() as tx:
        assert await named(tx, "alpha") == await named(tx, "beta") == kept


async def test_a_version_that_comes_and_goes_in_one_group_leaves_no_words(sqlite: SqliteStore) -> None:
    brief = version("brief", description="alpha")

    async def come() -> None:
        async with sqlite.write() as tx:
            await tx.insert_version(brief, ("beta",))

    async def change_and_go() -> None:
        async with sqlite.write() as tx:
            await tx.update_version(version("brief", schema_id=brief.schema_id, description="gamma"))
        async with sqlite.write() as tx:
            assert sorted(await tx.names(brief.schema_id)) == ["beta"]
            await tx.remove_version(brief.schema_id)

    await asyncio.gather(come(), change_and_go(), add(sqlite, "other"))

    async with sqlite.read() as tx:
        assert await named(tx, "alpha") == {"other"}
        assert await named(tx, "gamma") == set()
        assert await tx.is_sound()


async def test_transactions_that_are_ready_together_share_a_commit(sqlite: SqliteStore) -> None:
    """Also those that never wait for one another."""
    statements: list[str] = []

    async def come(subject: str) -> None:
        async with sqlite.write() as tx:
            await tx.insert_version(version(subject, description="alpha"), ("beta",))

    await come("before")
    sqlite._resources.writer._session.raw.set_trace_callback(statements.append)
    await asyncio.gather(*(come(f"s{n}") for n in range(12)))

    assert statements.count("COMMIT") == 1
    async with sqlite.read() as tx:
        assert len(await named(tx, "alpha")) == len(await named(tx, "beta")) == 13


CHANGES = (
    *(change(event_type=kind) for kind in (*EventType, *ServerEvent)),
    change(subject=None, schema_id="", version="", ordinal=0, actor=None),
    change(
        subject=Subject.parse(":.team:orders/é"), metadata={"b": "1", "a": "é\u2028"}, correlation_id="call"
    ),
)


async def append(sqlite: SqliteStore, *changes: Change) -> None:
    async with sqlite.write() as tx:
        for each in changes:
            await tx.append_change(each)


async def undone(sqlite: SqliteStore, *changes: Change) -> None:
    async with sqlite.write() as tx:
        for each in changes:
            await tx.append_change(each)
        raise ConcurrentUpdate("it was to fail")


async def test_what_is_remembered_of_the_log_is_what_the_file_says(sqlite: SqliteStore) -> None:
    await append(sqlite, change())
    await sqlite.wait_for_change(0, 1)  # somebody follows from here on
    await sqlite.wait_for_change(1, 0)
    await asyncio.gather(*(append(sqlite, each) for each in CHANGES))

    recent = sqlite._resources.writer.recent
    remembered = recent.page(1, LIMIT)
    async with sqlite.read() as tx:
        stored = await tx.log_page(1, LIMIT)
    assert remembered is not None
    assert len(remembered.changes) == len(CHANGES)
    assert list(remembered.changes) == list(stored.changes)
    assert remembered.last == stored.last
    assert recent.page(0, LIMIT) is None, "what was read is dropped"
    assert recent.page(1 + len(CHANGES), LIMIT) is None, "there is nothing yet"


async def test_changes_of_others_and_failures_leave_no_gap_in_what_is_remembered(
    sqlite: SqliteStore, tmp_path: Path
) -> None:
    await sqlite.wait_for_change(0, 0)
    await append(sqlite, change(schema_id="1"))
    with pytest.raises(ConcurrentUpdate):
        await undone(sqlite, change(schema_id="undone"))
    await append(sqlite, change(schema_id="2"))
    other = SqliteStore(tmp_path / "registry.db", synchronous="normal")
    await other.open()
    try:
        await append(other, change(schema_id="3"))
    finally:
        await other.close()
    await append(sqlite, change(schema_id="4"))

    seen, after = [], 0
    while (page := await sqlite.log_page(after, LIMIT)).last:
        seen += [c.schema_id for c in page.changes]
        after = page.last
    assert seen == ["1", "2", "3", "4"]


async def test_a_compacted_log_is_not_remembered(sqlite: SqliteStore) -> None:
    await sqlite.wait_for_change(0, 0)
    await append(sqlite, *(change() for _ in range(3)))
    async with sqlite.write() as tx:
        await tx.compact_changes(2)

    assert (await sqlite.log_page(0, LIMIT)).oldest == 2
