"""Calls that arrive at once begin in turns of the event loop, and callers take turns there."""

from __future__ import annotations

import asyncio
import traceback
from functools import partial
from itertools import pairwise

import pytest

from llm_schema_registry_server.queues import turns as module
from llm_schema_registry_server.queues.turns import TASK_UNITS, CallTurns


class Caller:
    """Begins calls by their names, each when there is room."""

    def __init__(self) -> None:
        self.turns = CallTurns()
        self.begun: list[str] = []

    def begin(self, name: str) -> None:
        self.begun.append(name)
        self.turns.use(TASK_UNITS)

    def call(self, name: str) -> None:
        if self.turns.free:
            self.begin(name)
        else:
            self.turns.wait(name, partial(self.begin, name))


async def until_idle(turns: CallTurns) -> None:
    """Waits until nobody waits."""
    for _ in range(10_000):
        if turns.free:
            return
        await asyncio.sleep(0)
    raise AssertionError("somebody still waits")


async def test_who_sent_few_does_not_wait_behind_who_sent_many() -> None:
    caller = Caller()
    for _ in range(500):
        caller.call("many")
    at_once = len(caller.begun)
    assert at_once < 500
    caller.call("few")
    caller.call("few")
    await until_idle(caller.turns)
    assert caller.begun.index("few") == at_once + 1
    assert caller.begun[at_once : at_once + 5] == ["many", "few", "many", "few", "many"]
    assert len(caller.begun) == 502


async def test_no_turn_begins_more_than_its_budget() -> None:
    caller = Caller()
    for _ in range(1000):
        caller.call("many")
    begun = [len(caller.begun)]
    for _ in range(1000):
        await asyncio.sleep(0)
        begun.append(len(caller.begun))
    assert begun[-1] == 1000
    assert max(b - a for a, b in zip([0, *begun], begun, strict=False)) <= begun[0] == 64


async def test_who_left_does_not_begin() -> None:
    caller = Caller()
    for _ in range(100):
        caller.call("many")
    gone = caller.turns.wait("gone", partial(caller.begin, "gone"))
    gone.leave()
    await until_idle(caller.turns)
    assert caller.begun == ["many"] * 100


async def test_a_call_that_fails_to_begin_does_not_stop_the_others() -> None:
    caller, failures = Caller(), list[str]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, found: failures.append(str(found["exception"]))
    )

    def fail() -> None:
        raise ValueError("no")

    for _ in range(64):
        caller.call("many")
    caller.turns.wait("odd", fail)
    caller.turns.wait("even", partial(caller.begin, "even"))
    await until_idle(caller.turns)
    assert failures == ["no"]
    assert caller.begun[-1] == "even"


async def test_a_coroutine_waits_for_its_turn_and_may_be_cancelled_meanwhile() -> None:
    caller = Caller()

    async def call(name: str) -> None:
        await caller.turns.turn(lambda: name)
        caller.begun.append(name)

    tasks = [asyncio.create_task(call(f"call {number}")) for number in range(200)]
    await asyncio.sleep(0)
    assert len(caller.begun) == 64
    tasks[150].cancel()
    await asyncio.wait(tasks, timeout=30)
    assert caller.begun == [f"call {number}" for number in range(200) if number != 150]


class Clock:
    """Processor time that passes only when work says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def thread_time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


async def take(clock: Clock, seconds: float, then: float = 0.0) -> str:
    clock.now += seconds
    await asyncio.sleep(0)
    clock.now += then
    return "done"


async def test_what_a_kind_of_call_takes_is_learned_from_first_steps(clock: Clock) -> None:
    turns = CallTurns()
    assert turns.units("dear") == TASK_UNITS
    for _ in range(10):
        assert await turns.noting("dear", take(clock, 0.002, then=5.0)) == "done"
    assert turns.units("unknown") == turns.units("dear")
    for _ in range(10):
        await asyncio.create_task(turns.noting("cheap", take(clock, 0.0)))
    assert TASK_UNITS < turns.units("unknown") < turns.units("dear")
    assert 95 <= turns.units("dear") <= 100, "in units of 20 microseconds"
    assert turns.units("cheap") == TASK_UNITS
    for _ in range(200):
        await turns.noting("dear", take(clock, 0.0))
    assert turns.units("dear") == TASK_UNITS


async def test_calls_that_are_known_to_be_dear_begin_a_few_in_each_turn(clock: Clock) -> None:
    turns, steps = CallTurns(), list[int]()
    begun, mark = 0, 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await take(clock, 0.001)

    async def all_of(count: int) -> None:
        calls = [asyncio.create_task(turns.carry_out("dear", lambda: "somebody", work)) for _ in range(count)]
        nonlocal mark
        while not all(call.done() for call in calls):
            mark = begun
            await asyncio.sleep(0)
            steps.append(begun - mark)

    await all_of(20)
    steps.clear()
    await all_of(100)
    assert begun == 120
    assert max(steps) <= 8


async def test_calls_that_are_dearer_than_was_known_wait_for_another_turn(clock: Clock) -> None:
    """Units are a guess; what those before have taken in this turn is not."""
    turns, steps, begun = CallTurns(), list[int](), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        clock.now += 0.001

    async def call() -> None:
        await turns.turn(lambda: "somebody")
        await work()

    calls = [asyncio.create_task(call()) for _ in range(100)]
    while not all(call.done() for call in calls):
        mark = begun
        await asyncio.sleep(0)
        steps.append(begun - mark)
    assert begun == 100
    assert max(steps) <= 3


async def test_one_call_at_least_goes_on_in_each_turn(clock: Clock) -> None:
    """However long what is no call takes."""
    turns, done = CallTurns(), 0

    async def call() -> None:
        nonlocal done
        await turns.turn(lambda: "somebody")
        done += 1

    calls = [asyncio.create_task(call()) for _ in range(100)]
    for _ in range(150):
        clock.now += 1.0
        await asyncio.sleep(0)
        clock.now += 1.0
    assert done == 100
    await asyncio.wait(calls)


async def test_noted_work_is_cancelled_and_fails_as_it_is(clock: Clock) -> None:
    turns = CallTurns()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("as it is")

    with pytest.raises(LookupError, match="as it is"):
        await turns.noting("a", fails())
    ended = list[str]()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    task = asyncio.create_task(turns.noting("a", waits()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]


async def test_noted_work_goes_on_after_an_error_that_it_takes(clock: Clock) -> None:
    turns, taken = CallTurns(), 0

    async def takes_cancellations() -> str:
        nonlocal taken
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                taken += 1
        await asyncio.sleep(0)
        return "done"

    async def ends_with_it() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "ended"
        raise AssertionError("nobody sets the event")

    tasks = [asyncio.create_task(turns.noting("a", work())) for work in (takes_cancellations, ends_with_it)]
    for _ in range(2):
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert await asyncio.gather(*tasks) == ["done", "ended"]
    assert taken == 2


async def test_what_is_noted_of_work_that_fails_at_once_is_what_it_took(clock: Clock) -> None:
    turns = CallTurns()

    async def fails() -> None:
        clock.now += 1.0
        raise LookupError("at once")

    with pytest.raises(LookupError, match="at once"):
        await turns.noting("a", fails())
    assert turns.units("a") > TASK_UNITS


async def test_what_fails_after_its_first_step_leaves_no_circle(clock: Clock) -> None:
    turns = CallTurns()
    awaited = asyncio.get_running_loop().create_future()

    async def waits() -> None:
        await awaited

    task = asyncio.create_task(turns.noting("a", waits()))
    await asyncio.sleep(0)
    awaited.set_exception(LookupError("as it is"))
    failed = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(failed, LookupError)
    frames = [frame for frame, _ in traceback.walk_tb(failed.__traceback__)]
    own = [frame for frame in frames if frame.f_code.co_filename == module.__file__]
    assert own
    assert all("awaited" not in frame.f_locals for frame in own), "the future holds the error"


async def test_between_turns_of_several_rounds_others_go_on_as_often() -> None:
    turns, large, small = CallTurns(rounds=5), list[int](), 0

    async def large_answers() -> None:
        for _ in range(4):
            await turns.turn(lambda: "large", 10_000)
            large.append(small)

    task = asyncio.ensure_future(large_answers())
    while not task.done():
        await asyncio.sleep(0)
        small += 1
    assert len(large) == 4
    assert all(later - earlier >= 5 for earlier, later in pairwise(large))
