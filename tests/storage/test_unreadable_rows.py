"""One bad row makes no list, search, change feed or export fail: it is left out, named and counted; repair mends it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import StorageDamaged
from llm_schema_registry_server.model.api_key import RevokedToken
from llm_schema_registry_server.model.change import Change
from llm_schema_registry_server.model.grant import Grant, StoredGrant
from llm_schema_registry_server.model.outcomes import Counted, Outcomes
from llm_schema_registry_server.model.schema import ResolvedReference
from llm_schema_registry_server.model.scope import Scope
from llm_schema_registry_server.model.stored_policies import StoredPolicies
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.changes import ChangeFeed
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.reading import Reading
from llm_schema_registry_server.registry.subscribers import ChangeFilter
from llm_schema_registry_server.registry.subscribing import Heartbeat, Subscribing
from llm_schema_registry_server.storage import unreadable
from llm_schema_registry_server.storage.archive import UNREADABLE, export_archive
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.repair import repair
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.values import Page, RankedPage, SchemaFilter
from llm_schema_registry_server.workers.inline import InlineWorkers
from tests.support.postgres import PATIENT, Postgres
from tests.support.storage import START, api_key, api_secret, register

from .damage import DAMAGES, damage, execute

Rows = SqliteStore | PostgresStore
SUBJECT = Subject.parse("orders")
LIMITS = RequestLimits(10_000, 10_000, 8, 10, 1000, 100)


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rows]:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        made: Rows = PostgresStore(await server.empty_database(), PATIENT)
    else:
        made = SqliteStore(tmp_path / "registry.db", synchronous="normal")
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def filled(store: Rows, count: int = 6) -> list[str]:
    """The schema ids of so many versions of one subject, each with a content of its own."""
    ids = []
    for number in range(count):
        async with store.write() as tx:
            made = await register(tx, "orders", f'{{"title": "order {number}"}}')
            ids.append(made.schema_id)
    while True:  # a change may become visible a moment after its commit
        async with store.read() as tx:
            changes = await tx.changes(0, count)
        if len(changes) == count:
            return ids
        await store.wait_for_change(changes[-1].sequence if changes else 0, 10)


def reading(store: Rows) -> Reading:
    library = Library(store, {}, InlineWorkers({}), cache_bytes=1 << 20, most_references=8)
    return Reading(store, library, LIMITS)


async def listed(store: Rows) -> list[list[int]]:
    """The ordinals that each kind of list has."""
    found = reading(store)
    everything = SchemaFilter(include_deleted=True)
    scanned = [
        item.version.ordinal async for item in found.scan(everything, limit=None, offset=None, page_token="")
    ]
    pages: list[int] = []
    token = ""
    while True:
        page = await found.search(SchemaFilter(text="orders"), limit=2, offset=None, page_token=token)
        pages += [item.version.ordinal for item in page.items]
        token = page.next_token
        if not token:
            break
    return [sorted(scanned), sorted(pages)]


@pytest.mark.parametrize("kind", DAMAGES)
async def test_lists_and_exports_go_on_without_a_damaged_version_and_repair_mends_it(
    store: Rows, kind: str
) -> None:
    ids = await filled(store)
    bad = ids[2]
    before = sum(unreadable.counts().values())
    if not await damage(store, kind, bad):
        pytest.skip("this back end does not take such a row")

    assert await listed(store) == [[1, 2, 4, 5, 6]] * 2
    assert sum(unreadable.counts().values()) > before
    counted = await export_archive(store, io.BytesIO(), lambda kind, done: None)
    assert (counted["version"], counted[UNREADABLE] > 0) == (5, True)
    if not DAMAGES[kind].readable:
        with pytest.raises(StorageDamaged, match=bad):
            async with store.read() as tx:
                await tx.version(bad)

    trial = [f async for f in repair(store, now, apply=False)]
    assert await listed(store) == [[1, 2, 4, 5, 6]] * 2  # a dry run changes nothing
    mended = [f async for f in repair(store, now, apply=True)]

    assert trial == mended
    assert len(mended) == 1
    assert mended[0].mended
    assert mended[0].fault
    assert [f async for f in repair(store, now, apply=True)] == []
    expected = [1, 2, 3, 4, 5, 6] if DAMAGES[kind].stays else [1, 2, 4, 5, 6]
    assert await listed(store) == [expected] * 2
    counted = await export_archive(store, io.BytesIO(), lambda kind, done: None)
    assert counted["version"] == len(expected)
    assert UNREADABLE not in counted
    async with store.read() as tx:
        assert [v.ordinal for v in await tx.versions(SUBJECT)] == expected
        statistics = await tx.count_everything(now(), 10)
    assert statistics.versions == len(expected)


def now() -> datetime:
    return datetime.now(UTC)


async def test_pages_are_whole_whatever_is_unreadable(store: Rows) -> None:
    ids = await filled(store, 12)
    for number in (0, 1, 2, 3, 7, 11):
        await damage(store, "unknown state", ids[number])

    async with store.read() as tx:
        page = await tx.scan_versions(SchemaFilter(), Page(3))
        ranked = await tx.ranked_versions(SchemaFilter(text="orders"), RankedPage(3))
        rest = await tx.scan_versions(SchemaFilter(), Page(10, after=("orders", page[-1].ordinal)))

    assert [v.ordinal for v in page] == [5, 6, 7]
    assert [v.ordinal for v in rest] == [9, 10, 11]
    assert ranked is not None
    assert [hit.version.ordinal for hit in ranked.hits] == [11, 10, 9]


async def test_statistics_are_counted_in_spite_of_unknown_numbers(store: Rows) -> None:
    ids = await filled(store)
    await damage(store, "unknown state", ids[0])
    await damage(store, "unknown type", ids[1])

    async with store.read() as tx:
        counted = await tx.count_everything(now(), 10)

    assert (counted.versions, sum(counted.by_state.values()), sum(counted.by_type.values())) == (6, 5, 5)


# -- SQLite: texts that are no UTF-8

BAD = "CAST(x'6f7264ff' AS TEXT)"


async def test_a_version_that_lost_its_name_gets_it_back(sqlite: SqliteStore) -> None:
    ids = await filled(sqlite)
    await execute(
        sqlite,
        "DELETE FROM usage",
        f"UPDATE versions SET schema_id = {BAD}, subject = {BAD}, identity = {BAD} WHERE schema_id = '{ids[2]}'",
    )

    assert await listed(sqlite) == [[1, 2, 4, 5, 6]] * 2
    (found,) = [f async for f in repair(sqlite, now, apply=True)]

    assert found.mended
    assert [f async for f in repair(sqlite, now, apply=True)] == []
    async with sqlite.read() as tx:
        version = await tx.version(ids[2])
    assert version is not None
    assert (version.subject, version.ordinal) == (SUBJECT, 3)


async def test_a_page_of_subjects_is_whole_whatever_is_unreadable(sqlite: SqliteStore) -> None:
    async with sqlite.write() as tx:
        made = [await register(tx, f"s{number:03}", f'{{"a": {number}}}') for number in range(250)]
    bad = ", ".join(f"'{version.schema_id}'" for version in made[3:240])
    await execute(
        sqlite,
        f"UPDATE versions SET subject = CAST(CAST(subject AS BLOB) || x'ff' AS TEXT) WHERE schema_id IN ({bad})",
    )
    before = sum(unreadable.counts().values())

    async with sqlite.read() as tx:
        names = await tx.subjects(page=Page(5))
        scanned = await tx.scan_versions(SchemaFilter(), Page(5))
        counted = await tx.count_everything(now(), 10)

    expected = ["s000", "s001", "s002", "s240", "s241"]
    assert [str(name) for name in names] == expected
    assert [str(version.subject) for version in scanned] == expected
    assert sum(unreadable.counts().values()) > before
    assert counted.versions == 250


async def test_what_decides_does_not_go_on_without_a_name_that_is_no_text(sqlite: SqliteStore) -> None:
    used, user = await referencing(sqlite)
    await execute(sqlite, f"UPDATE versions SET subject = {BAD} WHERE schema_id = '{used}'")

    async with sqlite.read() as tx:
        with pytest.raises(StorageDamaged):
            await tx.uses([Subject.parse("user")])
        with pytest.raises(StorageDamaged):
            await tx.version(used)
        assert await tx.version(user) is not None


async def test_no_text_of_any_table_fails_an_export_and_repair_leaves_none(sqlite: SqliteStore) -> None:
    (schema_id, *_) = await filled(sqlite)
    identity = f"(SELECT identity FROM versions WHERE schema_id = '{schema_id}')"
    await execute(
        sqlite,
        f"UPDATE global_ids SET identity = {BAD} WHERE identity = {identity}",
        f"UPDATE contents SET identity = {BAD} WHERE identity = {identity}",
        f"INSERT INTO subjects (subject, last_ordinal) VALUES ({BAD}, 3)",
        f"INSERT INTO configs VALUES ({BAD}, '{{}}')",
        f"INSERT INTO configs VALUES ('subject:orders', {BAD})",
        f"UPDATE changes SET schema_id = {BAD}, facts = {BAD} WHERE sequence = 2",
        f"UPDATE transitions SET facts = {BAD} WHERE schema_id = '{schema_id}'",
        f"UPDATE transitions SET schema_id = {BAD} WHERE schema_id <> '{schema_id}'",
        f"INSERT OR REPLACE INTO statistics (id, counts) VALUES (1, {BAD})",
    )

    counted = await export_archive(sqlite, io.BytesIO(), lambda kind, done: None)
    assert (counted["version"], counted["change"], counted["ordinal"]) == (5, 5, 1)
    assert counted[UNREADABLE] > 5
    found = [f async for f in repair(sqlite, now, apply=True)]

    assert {f.table for f in found} >= {
        "contents",
        "subjects",
        "global_ids",
        "configs",
        "changes",
        "statistics",
    }
    assert all(f.mended for f in found)
    assert [f async for f in repair(sqlite, now, apply=True)] == []
    counted = await export_archive(sqlite, io.BytesIO(), lambda kind, done: None)
    assert UNREADABLE not in counted
    assert (counted["version"], counted["ordinal"], counted["global_id"]) == (6, 1, 6)


async def test_settings_that_cannot_be_read_do_not_fail_an_export(store: Rows) -> None:
    await filled(store)
    await execute(
        store,
        "INSERT INTO configs VALUES ('context:x', '[]')",
        "INSERT INTO configs VALUES ('subject:y', '{\"apply_defaults\": true}')",
    )

    counted = await export_archive(store, io.BytesIO(), lambda kind, done: None)

    assert (counted["config"], counted[UNREADABLE]) == (1, 1)


# -- what a version points to


async def referencing(store: Rows) -> tuple[str, str]:
    """The ids of a version and of one that references it."""
    async with store.write() as tx:
        used = await register(tx, "used", '{"a": 1}')
    reference = ResolvedReference("used", used.subject, used.ordinal, used.version, used.schema_id)
    async with store.write() as tx:
        user = await register(tx, "user", '{"b": 1}', references=(reference,))
    return used.schema_id, user.schema_id


async def test_a_version_with_a_dangling_reference_is_no_longer_compared_with(store: Rows) -> None:
    used, user = await referencing(store)
    if isinstance(store, PostgresStore):  # where only a restored dump without constraints can have this
        await execute(store, "ALTER TABLE version_references DROP CONSTRAINT version_references_target_fkey")
    await execute(store, f"DELETE FROM versions WHERE schema_id = '{used}'")

    found = [f async for f in repair(store, now, apply=True)]

    assert [(f.table, f.mended) for f in found] == [("versions", True)]
    assert "used 1.1.0, which is gone" in found[0].fault
    async with store.read() as tx:
        version = await tx.version(user)
    assert version is not None
    assert version.state.name == "ABANDONED"
    assert [f async for f in repair(store, now, apply=True)] == []


async def test_a_missing_content_that_others_use_is_beyond_repair(store: Rows) -> None:
    used, _ = await referencing(store)
    await damage(store, "missing content", used)

    found = [f async for f in repair(store, now, apply=True)]

    assert [(f.table, f.mended) for f in found] == [("versions", False)]
    assert "backup" in found[0].fault


async def test_a_mended_version_is_a_change(store: Rows) -> None:
    (schema_id,) = await filled(store, 1)
    async with store.read() as tx:
        before = await tx.subject_stamp(SUBJECT)
    await damage(store, "unknown state", schema_id)

    assert [f async for f in repair(store, now, apply=True)]

    async with store.read() as tx:
        assert await tx.subject_stamp(SUBJECT) != before


# -- the other tables


async def test_repair_mends_changes_history_settings_usage_and_counts(store: Rows) -> None:
    (schema_id,) = await filled(store, 1)
    await execute(
        store,
        "UPDATE changes SET event_type = 99, facts = '[]'",
        f"INSERT INTO transitions (schema_id, from_state, to_state, at, facts) VALUES ('{schema_id}', 1, 99, 0, '{{}}')",
        "INSERT INTO configs VALUES ('subject:orders', '{\"level\": 77, \"apply_defaults\": true}')",
        "INSERT INTO configs VALUES ('context:x', '[]')",
        "INSERT INTO usage (schema_id, reads, validations, score, used_at) "
        f"VALUES ('{schema_id}', 1, 1, 1.0, 9000000000000000000)",
        "DELETE FROM statistics",
        "INSERT INTO statistics (id, counts) VALUES (1, '{}')",
    )

    found = [f async for f in repair(store, now, apply=True)]

    assert sorted(f.table for f in found) == [
        "changes", "configs", "configs", "statistics", "transitions", "usage",
    ]  # fmt: skip
    assert [f async for f in repair(store, now, apply=False)] == []
    async with store.read() as tx:
        assert len(await tx.changes(0, 10)) == 1
        assert await tx.history(schema_id) == []
        config = await tx.config("subject:orders")
        assert await tx.config("context:x") is None
        assert await tx.most_used(10) == []
        assert await tx.statistics() is None
    assert config is not None
    assert (config.level, config.apply_defaults) == (None, True)


# -- the change feed


async def test_what_is_in_doubt_of_credentials_counts_for_less(store: Rows) -> None:
    """A key that cannot be read lets nobody in, and a token that was revoked stays so."""
    whole, damaged = api_key("whole"), api_key("damaged")
    async with store.write() as tx:
        for key in (whole, damaged, api_key("worse", previous=api_secret())):
            await tx.insert_api_key(key)
        for scope in ("a", "b"):
            await tx.put_grant(StoredGrant(Grant("user:ada", "reader", Scope.parse(scope)), "root", START))
        await tx.add_policies(StoredPolicies(1, "{}", "root", START))
        for token_id in ("a", "b", "c"):
            await tx.put_revoked_token(RevokedToken(token_id, datetime.max.replace(tzinfo=UTC), START, "ada"))
    await execute(
        store,
        "UPDATE api_keys SET facts = '{\"enabled\": 1}' WHERE name = 'damaged'",
        "UPDATE api_keys SET facts = '[]' WHERE name = 'worse'",
        "UPDATE grants SET scope = ':.x' WHERE scope = 'b'",
        "UPDATE policies SET set_at = 9000000000000000000",
        "UPDATE revoked_tokens SET facts = 'x' WHERE token_id = 'b'",
        "UPDATE revoked_tokens SET expires_at = 9000000000000000000 WHERE token_id = 'c'",
    )
    async with store.read() as tx:
        assert [key.name for key in await tx.api_keys("", 10)] == ["whole"]
        assert await tx.api_keys_with(damaged.secret.prefix) == []
        assert [str(g.grant.scope) for g in await tx.grants(("", "", ""), 10)] == ["a"]
        with pytest.raises(StorageDamaged):
            await tx.policies()
        assert [token.token_id for token in await tx.revoked_tokens("", 10)] == ["a", "b", "c"]

    found = [f async for f in repair(store, now, apply=True)]

    assert sorted((f.table, f.key) for f in found) == [
        ("api_keys", "id of damaged"),
        ("api_keys", "id of worse"),
        ("grants", "user:ada reader :.x"),
        ("policies", "1"),
        ("revoked_tokens", "b"),
        ("revoked_tokens", "c"),
    ]
    assert [(f.table, f.mended) async for f in repair(store, now, apply=False)] == [("policies", False)]
    async with store.read() as tx:
        assert await tx.count_api_keys() == 1
        assert await tx.count_grants() == 1
        assert [token.token_id for token in await tx.revoked_tokens("", 10)] == ["a", "b", "c"]


async def test_outcomes_that_cannot_be_read_are_left_out_and_removed(store: Rows) -> None:
    async with store.write() as tx:
        made = [await register(tx, "s", str(number)) for number in range(3)]
    one = Outcomes(2, 1)
    async with store.write() as tx:
        await tx.count_outcomes(
            [Counted(v.schema_id, v.subject, v.ordinal, "m", 1, 5, one) for v in made], START
        )
        await tx.note_reports(["a", "b"], START)
    keys = [(v.schema_id, "m") for v in made]
    await execute(
        store,
        "UPDATE conformance SET reported_at = 9000000000000000000 WHERE ordinal = 2",
        "UPDATE conformance_reports SET at = 9000000000000000000 WHERE id = 'b'",
    )
    async with store.read() as tx:
        found = await tx.subject_outcomes(made[0].subject, (0, ""), 9, "", 2)
        assert [f.ordinal for f in found] == [1, 3]
        assert len(await tx.outcomes_of(keys)) == 2

    damaged = [f async for f in repair(store, now, apply=True)]

    assert [(f.table, f.key) for f in damaged] == [
        ("conformance", f"{made[1].schema_id} m"),
        ("conformance_reports", "b"),
    ]
    assert [f async for f in repair(store, now, apply=False)] == []
    async with store.read() as tx:
        assert set(await tx.outcomes_between(keys, 0, 9)) == {keys[0], keys[2]}
        assert list(await tx.noted_reports(["a", "b"])) == ["a"]


@pytest.mark.parametrize("bad", [(1,), (3, 4), (6,), (1, 2, 3, 4, 5, 6)])
async def test_the_feed_passes_unreadable_changes(store: Rows, bad: tuple[int, ...]) -> None:
    await filled(store)
    async with store.read() as tx:
        sequences = [c.sequence for c in await tx.changes(0, 100)]
    gone = [sequences[number - 1] for number in bad]
    left = [s for s in sequences if s not in gone]
    seen_changes: list[Change] = []
    gaps: list[int] = []
    troubles: list[Exception] = []
    feed = ChangeFeed(
        store,
        ring=1,
        on_change=seen_changes.append,
        on_gap=lambda: gaps.append(1),
        on_trouble=troubles.append,
    )
    await execute(store, f"UPDATE changes SET facts = '[]' WHERE sequence IN ({', '.join(map(str, gone))})")
    await feed.start()
    feed._floor = feed._position = 0  # as if it had followed the log from its beginning
    try:
        async with asyncio.timeout(20):
            await feed.reach(sequences[-1])
            stream = Subscribing(store, feed)(ChangeFilter.of([], []), "earliest", None)
            assert isinstance(await anext(stream), Heartbeat)
            got = [await anext(stream) for _ in left]
            async with store.write() as tx:
                last = await register(tx, "orders", '{"title": "last"}')
            got.append(await anext(stream))
    finally:
        await feed.stop()

    assert [c.sequence for c in got if isinstance(c, Change)][:-1] == left
    assert [c.schema_id for c in got if isinstance(c, Change)][-1] == last.schema_id
    assert (bool(gaps), troubles) == (True, [])


async def test_an_unreadable_time_does_not_stop_retention(store: Rows) -> None:
    await filled(store)
    async with store.read() as tx:
        sequences = [s for s, _ in await tx.change_times(0, 100)]
    await execute(store, f"UPDATE changes SET at = 9000000000000000000 WHERE sequence = {sequences[2]}")

    async with store.read() as tx:
        times = await tx.change_times(0, 100)

    assert [s for s, _ in times] == sequences
    assert times[2][1].year == 9999


# -- SQLite: an error leaves nothing open


async def test_a_decode_error_leaves_no_cursor_open(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "registry.db", synchronous="normal", readers=1)
    await store.open()
    try:
        ids = await filled(store, 200)
        await damage(store, "unknown state", ids[1])
        errors = []
        for _ in range(3):
            try:
                async with store.read() as tx:
                    await tx.versions(SUBJECT)
            except StorageDamaged as error:
                errors.append(error)  # keeps its traceback, and what that refers to
        async with store.write() as tx:
            added = await register(tx, "orders", '{"title": "after"}')

        async with store.read() as tx:  # sees what was written since, on the one connection there is
            assert await tx.version(added.schema_id) is not None
        assert len(errors) == 3
    finally:
        await store.close()


async def test_a_feed_that_is_promised_more_than_it_gets_pauses() -> None:
    class Promising(MemoryStore):
        asked = 0

        async def wait_for_change(self, after: int, timeout: float) -> None:
            self.asked += 1

    store = Promising()
    await store.open()
    feed = ChangeFeed(store, ring=8, on_change=print, on_gap=print, on_trouble=print)
    await feed.start()
    for _ in range(1000):
        await asyncio.sleep(0)
    await feed.stop()

    assert store.asked <= 2
