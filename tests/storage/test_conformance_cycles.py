"""Every back end: subjects that use each other have an order, however many register at once."""

from __future__ import annotations

import asyncio
import random

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import ReferenceCycle
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.cycles import find_cycle
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.postgres import Postgres
from tests.support.registry import World

ROUNDS, NAMES = 12, ("a", "b", "c", "d")


async def edges(store: Store) -> dict[str, set[str]]:
    async with store.read() as tx:
        listed = await tx.scan_versions(SchemaFilter(include_deleted=True), Page(10_000))
    found: dict[str, set[str]] = {}
    for version in listed:
        found.setdefault(str(version.subject), set()).update(str(r.subject) for r in version.references)
    return found


def ordered(uses: dict[str, set[str]]) -> bool:
    left = dict(uses)
    while left:
        free = [name for name, used in left.items() if not used & left.keys()]
        if not free:
            return False
        for name in free:
            del left[name]
    return True


async def rounds(worlds: list[World]) -> None:
    """Subjects without references; then at once, from all servers, references to the newest versions."""
    chance = random.Random(7)
    refused = made = 0
    for number in range(ROUNDS):
        names = [f"{name}{number}" for name in NAMES]
        for name in names:
            await worlds[0].register(name, "x", level=CompatibilityLevel.NONE)

        async def use(place: int, user: str, used: str) -> None:
            nonlocal refused, made
            try:
                await worlds[place % len(worlds)].register(
                    user, f"x @{used}", references=((used, used, "1"),)
                )
                made += 1
            except ReferenceCycle:
                refused += 1

        pairs = [(user, used) for user in names for used in names if user != used]
        wanted = list(zip(names, names[1:] + names[:1], strict=True)) + chance.sample(pairs, 4)
        await asyncio.gather(*(use(place, *pair) for place, pair in enumerate(wanted)))
        assert ordered(await edges(worlds[0].store))
    assert refused >= ROUNDS
    assert made >= ROUNDS


async def test_registrations_at_once_close_no_cycle(store: Store) -> None:
    await rounds([World(store)])  # type: ignore[arg-type]  # any store will do


async def test_servers_at_once_close_no_cycle(postgres: Postgres) -> None:
    dsn = await postgres.empty_database()
    stores = [PostgresStore(dsn) for _ in range(3)]
    for store in stores:
        await store.open()
    try:
        await rounds([World(store) for store in stores])  # type: ignore[arg-type]  # any store will do
    finally:
        for store in stores:
            await store.close()


async def test_a_cycle_of_subjects_is_refused_though_no_version_reaches_itself(store: Store) -> None:
    world = World(store)  # type: ignore[arg-type]  # any store will do
    for name in ("a", "b", "c"):
        await world.register(name, "x", level=CompatibilityLevel.NONE)
    await world.register("a", "x @b", references=(("b", "b", "1"),))
    await world.register("b", "x @c", references=(("c", "c", "1"),))

    with pytest.raises(ReferenceCycle, match="c -> a -> b -> c"):
        await world.register("c", "x @a", references=(("a", "a", "1"),))
    again = await world.register("a", "y @b", references=(("b", "b", "1"),))
    assert again.created
    async with store.read() as tx:
        a, b, c = (Subject.parse(name) for name in ("a", "b", "c"))
        assert await tx.uses([a, b, c]) == {a: {b}, b: {c}}
        assert await find_cycle(tx, c, [a]) == (a, b, c)
        assert await find_cycle(tx, a, [b]) is None
        assert await find_cycle(tx, a, [c]) is None
        assert await find_cycle(tx, a, [a]) == [a]
