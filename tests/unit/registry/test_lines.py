"""Registrations for one subject that were overtaken go on one at a time, and callers take turns among them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.model.principal import Actor
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.registry.lines import Lines
from llm_schema_registry_server.registry.register import Register
from llm_schema_registry_server.registry.registration import Registration, RegistrationResult
from llm_schema_registry_server.storage.values import NewVersion, Precondition
from tests.support.registry import world

ONE, OTHER = Subject.parse("one"), Subject.parse("other")


async def test_one_at_a_time_for_each_subject() -> None:
    lines, inside, most = Lines(), Counter[Subject](), Counter[Subject]()

    async def change(subject: Subject) -> None:
        async with lines.turn(subject):
            inside[subject] += 1
            most[subject] = max(most[subject], inside[subject])
            await asyncio.sleep(0)
            inside[subject] -= 1

    both = [asyncio.create_task(change(subject)) for _ in range(20) for subject in (ONE, OTHER)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(lines) == 2
    both[0].cancel()
    both[-1].cancel()
    await asyncio.gather(*both, return_exceptions=True)
    assert most == {ONE: 1, OTHER: 1}
    assert len(lines) == 0, "a line that nobody stands in is forgotten"


async def test_callers_take_turns() -> None:
    lines, order = Lines(), list[str]()

    async def change(key: str) -> None:
        callers.bind(Caller(key))
        async with lines.turn(ONE):
            order.append(key)
            await asyncio.sleep(0)

    many = [asyncio.create_task(change("many")) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(*many, asyncio.create_task(change("few")))
    assert order.index("few") < 25


async def test_the_work_of_many_registrations_grows_with_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = 0
    attempt = Register._attempt

    async def counted(self: Register, wanted: Registration, by: Actor) -> RegistrationResult | None:
        nonlocal attempts
        attempts += 1
        return await attempt(self, wanted, by)

    monkeypatch.setattr(Register, "_attempt", counted)
    async with world() as registry:
        append = registry.store.append

        async def slowly(precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
            for _ in range(5):
                await asyncio.sleep(0)
            return await append(precondition, entry)

        monkeypatch.setattr(registry.store, "append", slowly)
        await registry.register("s", "w", level=CompatibilityLevel.NONE)
        attempts = 0
        made = await asyncio.gather(*(registry.register("s", f"w{n}") for n in range(60)))
    assert sorted(m.version.ordinal for m in made) == list(range(2, 62))
    assert attempts <= 3 * 60
