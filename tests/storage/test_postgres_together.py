"""PostgreSQL: registrations that come at the same time are written by one statement, and none suffers from another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import ConcurrentUpdate, StorageDamaged
from llm_schema_registry_server.model.config import Config
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore
from llm_schema_registry_server.storage.values import NewVersion, SubjectSnapshot, VersionWithContent
from tests.support.postgres import Postgres
from tests.support.storage import START, change, changes_so_far, content, register, version

MANY = 100
OPTIONS = PostgresOptions(lock_seconds=20.0)


@pytest_asyncio.fixture
async def dsn(postgres: Postgres) -> str:
    return await postgres.empty_database()


@pytest_asyncio.fixture
async def store(dsn: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(dsn, OPTIONS)
    await store.open()
    yield store
    await store.close()


async def subject_snapshot(store: PostgresStore, subject: str) -> SubjectSnapshot:
    name = Subject.parse(subject)
    return await store.subject_snapshot(
        name, [f"subject:{name}", f"context:{name.context}", "registry"], "none"
    )


def entry(subject: str, ordinal: int = 1, text: str = "", **values: Any) -> NewVersion:
    made = version(subject, ordinal, **{"description": f"About {subject}", **values})
    if text:
        made = replace(made, identity=f"identity of {text[:99]}")
    at = made.schema_id
    steps = [
        Transition(at, before, after, "step", "ada", START)
        for before, after in ((None, SchemaState.DRAFT), (SchemaState.DRAFT, SchemaState.ACTIVE))
    ]
    told = change(subject=made.subject, schema_id=at, ordinal=ordinal)
    return NewVersion(
        made, content(text or f'"{subject} {ordinal}"'), (f"Name{ordinal}", "fieldOf"), told, steps
    )


async def append(store: PostgresStore, subject: str, ordinal: int = 1, **values: Any) -> SchemaVersion | None:
    found = await subject_snapshot(store, subject)
    return await store.append(found.precondition, entry(subject, ordinal, **values))


async def test_each_of_many_is_stored_once_and_whole(store: PostgresStore) -> None:
    subjects = [f":.ctx{n}:s{n}" if n % 5 == 0 else f"s{n}" for n in range(MANY)]
    entries = {subject: entry(subject) for subject in subjects}
    found = await asyncio.gather(*(subject_snapshot(store, subject) for subject in subjects))
    assert {each.precondition.next_ordinal for each in found} == {1}

    made = await asyncio.gather(
        *(
            store.append(each.precondition, entries[subject])
            for subject, each in zip(subjects, found, strict=True)
        )
    )

    stored = {str(each.subject): each for each in made if each is not None}
    assert set(stored) == set(subjects)
    changes = await changes_so_far(store)
    assert sorted(each.revision for each in stored.values()) == [each.sequence for each in changes]
    assert {each.sequence: each.schema_id for each in changes} == {
        each.revision: each.schema_id for each in stored.values()
    }
    assert len({each.revision >> 20 for each in stored.values()}) < MANY / 2  # transactions
    ids = [each.global_id for each in stored.values() if each.subject.context == "."]
    assert len(set(ids)) == len(ids)
    async with store.read() as tx:
        for subject, each in stored.items():
            assert await tx.version(each.schema_id) == each
            assert set(await tx.names(each.schema_id)) == {"fieldof", "field", "of", "name1", "name", "1"}
            assert await tx.history(each.schema_id) == entries[subject].steps
            assert (await tx.contents([each.identity]))[each.identity] == entries[subject].content
            assert await tx.next_ordinal(each.subject) == 2


async def test_a_locked_subject_holds_up_nobody_else(store: PostgresStore, dsn: str) -> None:
    other = await asyncpg.connect(dsn)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT pg_advisory_xact_lock(hashtextextended('s3', 0))")
    writes = {n: asyncio.create_task(append(store, f"s{n}")) for n in range(20)}

    made = await asyncio.gather(*(write for n, write in writes.items() if n != 3))

    assert all(made)
    assert not writes[3].done()
    await transaction.commit()
    assert (await writes[3]) is not None
    await other.close()


async def test_a_content_that_is_being_removed_holds_up_nobody_else(store: PostgresStore, dsn: str) -> None:
    other = await asyncpg.connect(dsn)
    identities = {n: entry(f"s{n}").version.identity for n in range(10)}
    places = {n: await other.fetchval("SELECT hashtext($1) & 63", text) for n, text in identities.items()}
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT pg_advisory_xact_lock(1280528967, $1)", places[3])
    free = [n for n, place in places.items() if place != places[3]]
    write = asyncio.create_task(append(store, "s3"))

    assert free
    assert all(await asyncio.gather(*(append(store, f"s{n}") for n in free)))
    assert not write.done()
    await transaction.commit()
    assert await write is not None
    await other.close()


async def test_of_two_on_the_same_grounds_one_is_stored(store: PostgresStore) -> None:
    found = await subject_snapshot(store, "orders")

    made = await asyncio.gather(
        *(store.append(found.precondition, entry("orders", text=f"x{n}")) for n in range(5))
    )

    (stored,) = [each for each in made if each is not None]
    async with store.read() as tx:
        assert await tx.versions(stored.subject) == [stored]


async def test_one_content_has_one_number_however_many_bring_it(store: PostgresStore) -> None:
    subjects = [f"s{n}" for n in range(30)] + [f":.ctx:s{n}" for n in range(30)]

    made = await asyncio.gather(*(append(store, subject, text="the same") for subject in subjects))

    by_context: dict[str, set[int]] = {}
    for each in made:
        assert each is not None
        by_context.setdefault(each.subject.context, set()).add(each.global_id)
    assert {context: len(ids) for context, ids in by_context.items()} == {".": 1, ".ctx": 1}
    assert len(await changes_so_far(store)) == 60


async def test_a_taken_key_fails_its_own_registration_only(store: PostgresStore) -> None:
    async with store.write() as tx:
        taken = await register(tx, "taken")
    subjects = [f"s{n}" for n in range(10)]

    answers = await asyncio.gather(
        *(append(store, s, schema_id=taken.schema_id if s == "s4" else f"id of {s}") for s in subjects),
        return_exceptions=True,
    )

    failed = {s: a for s, a in zip(subjects, answers, strict=True) if isinstance(a, BaseException)}
    assert list(failed) == ["s4"]
    assert isinstance(failed["s4"], ConcurrentUpdate)
    assert all(answer is not None for answer in answers)
    assert len(await changes_so_far(store)) == 10


async def test_what_the_database_refuses_fails_its_own_registration_only(store: PostgresStore) -> None:
    subjects = [f"s{n}" for n in range(10)]

    answers = await asyncio.gather(
        *(append(store, s, size=2**70 if s == "s4" else 2) for s in subjects), return_exceptions=True
    )

    assert [s for s, a in zip(subjects, answers, strict=True) if isinstance(a, BaseException)] == ["s4"]
    async with store.read() as tx:
        assert await tx.versions(Subject.parse("s4")) == []
        assert len(await tx.versions(Subject.parse("s5"))) == 1


async def test_settings_that_change_meanwhile_take_away_the_grounds(store: PostgresStore) -> None:
    found = {s: await subject_snapshot(store, s) for s in ("a", "b", ":.ctx:c")}
    async with store.write() as tx:
        await tx.set_config("context:.", Config(default_dialect="x"))
        writes = [asyncio.create_task(store.append(f.precondition, entry(s))) for s, f in found.items()]
        await asyncio.sleep(0.2)
        assert not any(write.done() and write.result() for write in writes[:2])

    made = await asyncio.gather(*writes)

    assert [each is not None for each in made] == [False, False, True]


async def test_large_ones_and_references_go_alone(store: PostgresStore) -> None:
    target = await append(store, "target")
    assert target is not None
    found = await subject_snapshot(store, "user")
    using = replace(entry("user"), targets={target.schema_id: target.revision})
    stale = replace(entry("stale"), targets={target.schema_id: target.revision - 1})

    assert await store.append((await subject_snapshot(store, "stale")).precondition, stale) is None
    made, large = await asyncio.gather(
        store.append(found.precondition, using), append(store, "large", text="x" * 1_000_000)
    )

    assert made is not None
    assert large is not None
    async with store.read() as tx:
        assert await tx.dependents(target.schema_id) == [made]
        assert len((await tx.contents([large.identity]))[large.identity].content) == 1_000_000


@pytest.mark.parametrize("seed", range(3))
async def test_writers_of_two_servers_lose_and_double_nothing(
    store: PostgresStore, dsn: str, seed: int
) -> None:
    other = PostgresStore(dsn, OPTIONS)
    await other.open()
    made: list[SchemaVersion] = []

    async def writer(number: int) -> None:
        of = (store, other)[number % 2]
        for n in range(12):
            subject = f"s{(number * 7 + n * (seed + 1)) % 5}"
            while True:
                precondition = (await subject_snapshot(of, subject)).precondition
                new = entry(subject, precondition.next_ordinal, text=f"{number} {n % 3}")
                stored = await of.append(precondition, new)
                if stored is not None:
                    made.append(stored)
                    break

    await asyncio.gather(*(writer(n) for n in range(16)))
    await other.close()

    async with store.read() as tx:
        for n in range(5):
            kept = await tx.versions(Subject.parse(f"s{n}"))
            assert [each.ordinal for each in kept] == list(range(1, len(kept) + 1))
            assert [each.revision for each in kept] == sorted(each.revision for each in kept)
            assert {each.schema_id for each in kept} == {
                each.schema_id for each in made if str(each.subject) == f"s{n}"
            }
    numbers = {(each.identity, each.global_id) for each in made}
    assert len(numbers) == len({identity for identity, _ in numbers})


async def test_texts_with_any_character_come_through(store: PostgresStore) -> None:
    odd = 'a\0b\\u0000 "quoted" \\ {} , \x1f é 𝄞 \ufffe'
    made = await asyncio.gather(
        *(
            append(
                store,
                f"s{n}",
                description=odd * n,
                tags=(odd, ""),
                metadata={odd: odd},
                created_by=odd,
                options={"o": odd},
            )
            for n in range(3)
        )
    )

    async with store.read() as tx:
        for each in made:
            assert each is not None
            assert await tx.version(each.schema_id) == each


async def test_versions_that_are_read_at_the_same_time_are_each_what_was_asked(
    store: PostgresStore, dsn: str
) -> None:
    made = [await append(store, f"s{n}") for n in range(MANY)]
    known = [one for one in made if one is not None]
    assert len(known) == MANY
    asked = [schema_id for one in known for schema_id in (one.schema_id, "unknown", one.schema_id)]

    found = await asyncio.gather(*map(store.version, asked))

    assert [kept.version if kept else None for kept in found] == [
        v for one in known for v in (one, None, one)
    ]
    for kept, one in zip(found[::3], known, strict=True):
        assert kept is not None
        assert kept.content is not None
        assert kept.content.content == f'"{one.subject} 1"'.encode()


async def test_a_damaged_version_spoils_no_other_that_is_read_with_it(store: PostgresStore, dsn: str) -> None:
    made = [one for n in range(20) if (one := await append(store, f"s{n}")) is not None]
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE versions SET origin = '{}' WHERE schema_id = $1", made[7].schema_id)
    await connection.close()

    found = await asyncio.gather(*(store.version(one.schema_id) for one in made), return_exceptions=True)

    assert isinstance(found[7], StorageDamaged)
    assert [isinstance(kept, VersionWithContent) for kept in found] == [n != 7 for n in range(20)]
