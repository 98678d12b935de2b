"""Callers who want the same thing at the same time share one computation."""

import asyncio

import pytest

from llm_schema_registry_server.caches.single_flight import SingleFlight


class Gate:
    """A computation that waits until it is let through, and counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0
        self.cancelled = 0
        self.opened = asyncio.Event()
        self.started = asyncio.Event()

    async def __call__(self) -> str:
        self.runs += 1
        self.started.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"


async def test_a_hundred_callers_cause_one_computation() -> None:
    gate, flights = Gate(), SingleFlight[str, str]()
    callers = [asyncio.create_task(flights.run("k", gate)) for _ in range(100)]
    await gate.started.wait()
    gate.opened.set()

    assert await asyncio.gather(*callers) == ["done"] * 100
    assert (gate.runs, len(flights)) == (1, 0)


async def test_different_keys_fly_apart_and_nothing_is_remembered() -> None:
    gate, flights = Gate(), SingleFlight[str, str]()
    gate.opened.set()
    await asyncio.gather(flights.run("a", gate), flights.run("b", gate))
    await flights.run("a", gate)

    assert gate.runs == 3


async def test_an_error_reaches_everyone_who_waits() -> None:
    async def fail() -> str:
        await asyncio.sleep(0)
        raise ValueError("no")

    flights = SingleFlight[str, str]()
    results = await asyncio.gather(*(flights.run("k", fail) for _ in range(3)), return_exceptions=True)

    assert [str(r) for r in results] == ["no"] * 3


async def test_one_caller_leaving_does_not_disturb_the_others() -> None:
    gate, flights = Gate(), SingleFlight[str, str]()
    leaver, stayer = (asyncio.create_task(flights.run("k", gate)) for _ in range(2))
    await gate.started.wait()
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    gate.opened.set()

    assert await stayer == "done"


async def test_the_last_caller_leaving_calls_the_computation_off() -> None:
    gate, flights = Gate(), SingleFlight[str, str]()
    callers = [asyncio.create_task(flights.run("k", gate)) for _ in range(2)]
    await gate.started.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await asyncio.sleep(0)

    assert (gate.cancelled, len(flights)) == (1, 0)
