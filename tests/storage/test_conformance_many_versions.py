"""Every back end: many versions are hidden and removed with few statements, and it is as if each had been written by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.schema import ResolvedReference, SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Hiding, Precondition, SchemaFilter
from tests.support.storage import START, change, changes_so_far, content, insert, version

ORDERS, OTHER = Subject.parse("orders"), Subject.parse("other")
MANY = 100
LATER = START + timedelta(hours=1)


async def many(store: Store, count: int = MANY) -> list[SchemaVersion]:
    """Versions of one subject, each with a content, a history, a label and words of its own."""
    made = [version("orders", n, tags=(f"t{n}",), description=f"needle w{n}") for n in range(1, count + 1)]
    async with store.write() as tx:
        for each in made:
            await tx.put_content(each.identity, content(each.identity))
            await tx.insert_version(each, ("name",))
            step = Transition(each.schema_id, None, SchemaState.DRAFT, "create", "ada", START)
            await tx.record_transitions([step])
    return made


async def counts(store: Store) -> tuple[int, int]:
    async with store.read() as tx:
        totals = await tx.subject_totals()
        return totals.live, totals.subjects


async def test_changes_are_appended_in_their_order_and_have_rising_sequences(store: Store) -> None:
    told = [change(ordinal=n, metadata={"of": f'é\x00"{n}'}) for n in range(MANY)]

    async with store.write() as tx:
        first = await tx.append_change(change(ordinal=1000))
        sequences = await tx.append_changes(told)
        last = await tx.append_change(change(ordinal=1001))
        assert list(await tx.append_changes([])) == []

    assert [first, *sequences, last] == sorted({first, *sequences, last})
    logged = await changes_so_far(store)
    assert logged[1:-1] == [replace(c, sequence=s) for c, s in zip(told, sequences, strict=True)]


@pytest.mark.parametrize("count", [1, MANY])
async def test_versions_are_hidden_together_and_their_subject_is_counted_once(
    store: Store, count: int
) -> None:
    made = await many(store, count)
    await insert(store, version("other"))
    assert await counts(store) == (2, 2)

    async with store.write() as tx:
        await tx.lock_subject(ORDERS)
        await tx.hide_versions(ORDERS, {v.schema_id: 100 + v.ordinal for v in made}, LATER)

    hidden = [replace(v, deleted_at=LATER, updated_at=LATER, revision=100 + v.ordinal) for v in made]
    async with store.read() as tx:
        assert await tx.versions(ORDERS) == []
        assert await tx.versions(ORDERS, include_deleted=True) == hidden
        assert await tx.subject_stamp(ORDERS) == (count, 100 + count)
    assert await counts(store) == (1, 2)


async def test_what_is_left_alive_keeps_its_subject_alive(store: Store) -> None:
    made = await many(store, 5)
    async with store.write() as tx:
        await tx.hide_versions(ORDERS, {v.schema_id: 9 for v in made[:4]}, LATER)
    assert await counts(store) == (1, 1)
    async with store.write() as tx:
        await tx.hide_versions(ORDERS, {made[4].schema_id: 10}, LATER)
    assert await counts(store) == (0, 1)
    async with store.write() as tx:
        await tx.update_version(made[2])
    assert await counts(store) == (1, 1)


async def test_hiding_what_was_removed_is_refused_and_nothing_is_hidden(store: Store) -> None:
    made = await many(store, 3)
    with pytest.raises(ConcurrentUpdate):
        async with store.write() as tx:
            await tx.hide_versions(ORDERS, {"gone": 7, **{v.schema_id: 8 for v in made}}, LATER)

    async with store.read() as tx:
        assert await tx.versions(ORDERS) == made


@pytest.mark.parametrize("count", [1, MANY])
async def test_versions_are_removed_together_with_all_that_is_theirs(store: Store, count: int) -> None:
    made = await many(store, count)
    shared = version("other", identity=made[0].identity)
    await insert(store, shared)

    async with store.write() as tx:
        await tx.lock_subject(ORDERS)
        await tx.remove_versions(["unknown", *(v.schema_id for v in made)])

    async with store.read() as tx:
        assert await tx.versions(ORDERS, include_deleted=True) == []
        assert await tx.history(made[-1].schema_id) == []
        left = await tx.contents([v.identity for v in made])
        assert set(left) == {shared.identity}
        assert await tx.count_versions(SchemaFilter(text="needle", include_deleted=True)) == 0
        assert await tx.subject_stamp(ORDERS) == (0, 0)
    assert await counts(store) == (1, 1)
    async with store.write() as tx:
        await tx.lock_subject(ORDERS)
        assert await tx.next_ordinal(ORDERS) == count + 1
        await tx.insert_version(version("orders", count + 1), ())


def reference_to(used: SchemaVersion) -> ResolvedReference:
    return ResolvedReference("ref", used.subject, used.ordinal, used.version, used.schema_id)


async def test_the_first_version_that_others_use_is_found(store: Store) -> None:
    made = await many(store, 3)
    async with store.write() as tx:
        assert await tx.used_elsewhere(ORDERS) is None
    users = [version("other", n, references=(reference_to(made[3 - n]),)) for n in (1, 2)]
    await insert(store, *users)
    async with store.read() as tx:
        assert await tx.used_elsewhere(ORDERS) == made[1].schema_id
        assert await tx.used_elsewhere(OTHER) is None


def hiding_of(made: list[SchemaVersion]) -> Hiding:
    changes = [change(schema_id=v.schema_id, ordinal=v.ordinal) for v in made]
    return Hiding(
        ORDERS, [v.schema_id for v in made], changes, LATER, [f"record {n}" for n in range(len(made))]
    )


async def test_a_subject_is_hidden_with_its_changes_and_records_while_nothing_has_changed(
    store: Store,
) -> None:
    made = await many(store, 3)
    precondition = (await store.subject_snapshot(ORDERS, ["registry"], "")).precondition

    last = await store.hide(precondition, hiding_of(made))

    async with store.write() as tx:
        hidden = await tx.versions(ORDERS, include_deleted=True)
        noted = await tx.take_audit(10)
    logged = await changes_so_far(store)
    assert [v.revision for v in hidden] == [c.sequence for c in logged] == [n.revision for n in noted]
    assert hidden[-1].revision == last
    assert all(v.deleted_at == LATER for v in hidden)
    assert [n.entry for n in noted] == ["record 0", "record 1", "record 2"]


async def test_nothing_is_hidden_when_the_subject_has_changed(store: Store) -> None:
    made = await many(store, 3)
    precondition: Precondition = (await store.subject_snapshot(ORDERS, ["registry"], "")).precondition
    await insert(store, version("orders", 4, revision=50))

    assert await store.hide(precondition, hiding_of(made)) is None

    async with store.read() as tx:
        assert len(await tx.versions(ORDERS)) == 4
        assert not await tx.audit_waits()
    assert await changes_so_far(store) == []


async def test_a_long_subject_is_read_whole_and_in_order(store: Store) -> None:
    """Longer than the parts in which a back end may read it; revisions are not in the order of versions, and some are equal."""
    target = version("other", references=())
    names = [f"s{n % 3}" for n in range(700)]
    made = [version("orders", n, revision=10 + n * 7 % 300) for n in range(1, 701)]
    pin = ResolvedReference("x", OTHER, 1, target.version, target.schema_id)
    using = [version(name, n // 3 + 1, global_id=9, references=(pin,)) for n, name in enumerate(names)]
    await insert(store, target)
    await insert(store, *made, *using)

    async with store.read() as tx:
        assert await tx.versions(ORDERS) == made
        assert await tx.versions(ORDERS, include_deleted=True) == made
        assert await tx.versions_since(ORDERS, 100) == [v for v in made if v.revision > 100]
        assert await tx.versions_by_global_id(".", 9) == sorted(
            using, key=lambda v: (str(v.subject), v.ordinal)
        )
        assert await tx.dependents(target.schema_id) == sorted(
            using, key=lambda v: (str(v.subject), v.ordinal)
        )
    for revision in (0, 100, 305):
        found = await store.versions_since(ORDERS, revision)
        assert found.stamp == (700, 309)
        assert found.versions == [v for v in made if v.revision > revision]
