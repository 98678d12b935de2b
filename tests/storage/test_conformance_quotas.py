"""Every back end: what a context holds is counted exactly, also by writers at the same time, and a quota is kept to the last version."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest

from llm_schema_registry_server.errors import QuotaExceeded
from llm_schema_registry_server.model.quota import ContextUsage, Quota
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import quotas
from llm_schema_registry_server.storage.appending import append_version
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import NewVersion, Precondition
from tests.support.storage import change, content, insert, register, version

CONTEXTS = (".", ".a", ".ab")


async def used(store: Store, context: str) -> ContextUsage:
    async with store.write() as tx:
        held = await tx.context_usage(context)
    if held is None:
        await quotas.begin(store, context)
        return await used(store, context)
    return held


def named(context: str, name: str) -> str:
    return name if context == "." else f":{context}:{name}"


async def test_an_empty_context_holds_nothing(store: Store) -> None:
    assert await used(store, ".nobody") == ContextUsage()


@pytest.mark.parametrize("counted_from", ["the start", "the middle"])
async def test_what_is_counted_is_what_there_is(store: Store, counted_from: str) -> None:
    chance = random.Random(7)
    there: dict[str, list[SchemaVersion]] = defaultdict(list)
    if counted_from == "the start":
        for context in CONTEXTS:
            await quotas.begin(store, context)
    for step in range(60):
        subject = named(chance.choice(CONTEXTS), chance.choice("pqr"))
        if there[subject] and chance.random() < 0.4:
            gone = there[subject].pop(chance.randrange(len(there[subject])))
            async with store.write() as tx:
                await tx.lock_subject(gone.subject)
                await tx.remove_version(gone.schema_id)
        else:
            made = version(subject, step + 1, size=chance.randrange(1, 100), global_id=step + 1)
            await insert(store, made)
            there[subject].append(made)
        if step == 30:
            for context in CONTEXTS:
                await quotas.begin(store, context)

    for context in CONTEXTS:
        held = [each for each in there.values() if each and each[0].subject.context == context]
        assert await used(store, context) == ContextUsage(
            len(held), sum(map(len, held)), sum(v.size for each in held for v in each)
        ), context


async def test_several_versions_of_one_transaction_are_counted(store: Store) -> None:
    await quotas.begin(store, ".")
    made = [version("s", n, size=10, global_id=n) for n in (1, 2, 3)]
    await insert(store, *made, version("t", 1, size=5, global_id=4))
    assert await used(store, ".") == ContextUsage(2, 4, 35)
    async with store.write() as tx:
        for each in made:
            await tx.lock_subject(each.subject)
            await tx.remove_version(each.schema_id)
    assert await used(store, ".") == ContextUsage(1, 1, 5)


async def test_what_is_rolled_back_is_not_counted(store: Store) -> None:
    await quotas.begin(store, ".")

    async def undone() -> None:
        async with store.write() as tx:
            await register(tx, "s")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert await used(store, ".") == ContextUsage()


async def add(store: Store, subject: str, quota: Quota) -> bool:
    """As a registration does; whether the quota let it in."""
    name = Subject.parse(subject)
    async with store.write() as tx:
        await tx.lock_subject(name)
        grounds = Precondition(await tx.subject_stamp(name), await tx.next_ordinal(name), {})
        made = version(subject, grounds.next_ordinal, size=10)
        try:
            assert await quotas.fits(tx, quota, made, grounds)
        except QuotaExceeded:
            return False
        await append_version(
            tx, NewVersion(made, content(f"{subject} {made.ordinal}"), (), change(subject=name), ())
        )
    return True


@pytest.mark.parametrize(
    ("quota", "let_in"),
    [(Quota(versions=7), 7), (Quota(subjects=4), 8), (Quota(bytes=59), 5), (Quota(4, 6, 1000), 6)],
)
async def test_writers_at_the_same_time_do_not_pass_a_quota(store: Store, quota: Quota, let_in: int) -> None:
    await quotas.begin(store, ".a")
    # Twelve subjects in two rounds: of the second round those have no new subject that were let in before.
    first = await asyncio.gather(*(add(store, f":.a:s{n}", quota) for n in range(12)))
    second = await asyncio.gather(*(add(store, f":.a:s{n}", quota) for n in range(12)))

    assert sum(first) + sum(second) == let_in
    held = await used(store, ".a")
    assert held.versions == let_in
    assert list(quota.passed(held, ContextUsage())) == []
    for name in ("subjects", "versions", "bytes"):
        assert not getattr(quota, name) or getattr(held, name) <= getattr(quota, name)


def test_a_limit_of_nothing_is_no_limit_and_what_adds_nothing_passes() -> None:
    full = ContextUsage(5, 9, 100)
    assert not Quota()
    assert list(Quota().passed(full, ContextUsage(1, 1, 1))) == []
    assert list(Quota(5, 0, 0).passed(full, ContextUsage(0, 1, 1))) == []
    assert [name for name, *_ in Quota(5, 9, 100).passed(full, ContextUsage(1, 1, 1))] == [
        "subjects",
        "versions",
        "bytes",
    ]
    assert list(Quota(6, 10, 101).passed(full, ContextUsage(1, 1, 1))) == []
