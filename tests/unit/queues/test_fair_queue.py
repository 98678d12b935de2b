"""What is scarce is shared between callers by what their work has cost, and whoever waits in vain is told in time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.queues.caller import SERVER, Caller
from llm_schema_registry_server.queues.fair_queue import Cost, FairQueue, QueueLimits, Ticket
from llm_schema_registry_server.queues.history import MOST_CALLERS, CostHistory

A, B, C = Caller("a"), Caller("b"), Caller("c")


def queue(*room: int, units: int | None = None, **limits: float) -> FairQueue:
    given = QueueLimits(**limits)  # type: ignore[arg-type]
    what = "pieces of work wait"
    return FairQueue("test", room or (1, 1, 1), given, what=what, setting="s", per_caller_units=units)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def asking(at: FairQueue, caller: Caller, cost: Cost = Cost.CHEAP, units: int = 1) -> asyncio.Task[Ticket]:
    return asyncio.ensure_future(at.take(caller, cost, units))


async def serve(at: FairQueue, wanted: list[tuple[Caller, float]]) -> list[str]:
    """Who is served, in which order, when all ask at once and each piece of work costs the seconds that are given."""
    order: list[str] = []

    async def one(caller: Caller, seconds: float) -> None:
        ticket = await at.take(caller)
        order.append(caller.key)
        ticket.release(seconds)
        await asyncio.sleep(0)

    first = at.take_now(Caller("first"))
    assert first is not None
    tasks = [asyncio.ensure_future(one(*work)) for work in wanted]
    await settle()
    first.release(0.0)
    await asyncio.gather(*tasks)
    return order


async def test_callers_take_turns_however_many_each_has_waiting() -> None:
    order = await serve(queue(), [(A, 1.0)] * 6 + [(B, 1.0)] * 2)

    assert Counter(order[:4]) == {"a": 2, "b": 2}


async def test_who_costs_more_is_served_less_often() -> None:
    order = await serve(queue(), [(A, 4.0)] * 10 + [(B, 1.0)] * 10)

    assert order[:10].count("b") >= 7


async def test_a_new_caller_is_level_with_those_that_wait_and_does_not_overtake_for_ever() -> None:
    at = queue()
    await serve(at, [(A, 100.0)] * 5)
    order = await serve(at, [(B, 1.0)] * 20 + [(C, 1.0)] * 20)

    assert abs(order[:20].count("b") - 10) <= 1


async def test_dear_work_leaves_room_for_cheap_work() -> None:
    at = queue(3, 2, 1)
    dear = at.take_now(A, Cost.DEAR)
    assert dear is not None
    assert at.take_now(B, Cost.DEAR) is None
    assert at.take_now(B, Cost.USUAL) is not None
    assert at.take_now(C, Cost.USUAL) is None
    assert at.take_now(C, Cost.CHEAP) is not None
    assert at.held == 3

    waiting = asking(at, B, Cost.DEAR)
    await settle()
    assert not waiting.done()
    dear.release()
    assert (await waiting).cost is Cost.DEAR


async def test_no_caller_holds_more_than_its_share() -> None:
    at = queue(10, 10, 10, units=4)
    mine = at.take_now(A, units=4)
    assert mine is not None
    more = asking(at, A, units=1)
    await settle()
    assert at.take_now(B, units=4) is not None  # the one that waits for itself holds nobody up
    assert not more.done()
    mine.release()
    (await more).release()


async def test_too_many_of_one_caller_are_refused_and_others_are_not() -> None:
    at = queue(per_caller=2)
    assert at.take_now(A) is not None
    waiting = [asking(at, A) for _ in range(2)]
    await settle()
    with pytest.raises(
        LimitExceeded, match=r"for you already \(setting queues.waiting_per_caller\)"
    ) as caught:
        await at.take(A)
    other = asking(at, B)
    await settle()

    assert caught.value.retry_seconds is not None
    assert (at.waiting, at.stats.refused["caller"], other.done()) == (3, 1, False)
    for task in (*waiting, other):
        task.cancel()


async def test_a_full_queue_makes_place_at_the_cost_of_who_has_most_waiting() -> None:
    at = queue(waiting=3)
    assert at.take_now(A) is not None
    greedy = [asking(at, A) for _ in range(3)]
    await settle()
    modest = asking(at, B)
    await settle()

    assert (modest.done(), at.waiting_of("a"), at.waiting_of("b")) == (False, 2, 1)
    with pytest.raises(LimitExceeded, match="most of them for you"):
        await greedy[2]
    with pytest.raises(LimitExceeded, match=r"setting s\)"):
        await at.take(A)
    for task in (*greedy, modest):
        task.cancel()


async def test_a_wait_ends_with_a_refusal_before_the_deadline_of_the_call() -> None:
    at = queue()
    assert at.take_now(A) is not None
    with pytest.raises(LimitExceeded, match="the deadline"):
        await at.take(Caller("b", time.monotonic() + 0.2))
    with pytest.raises(LimitExceeded, match="the deadline"):  # not even begun
        await at.take(Caller("b", time.monotonic() + 0.01))

    assert (at.waiting, at.stats.refused["wait"]) == (0, 2)


async def test_a_wait_ends_after_the_longest_that_is_set_but_not_for_the_server_itself() -> None:
    at = queue(wait_seconds=0.05)
    held = at.take_now(A)
    assert held is not None
    own = asking(at, SERVER)
    with pytest.raises(LimitExceeded, match=r"queues\.wait_seconds"):
        await at.take(B)

    assert not own.done()
    held.release()
    (await own).release()


async def test_a_second_wait_that_would_be_in_vain_is_not_begun() -> None:
    at = queue(wait_seconds=1.0)
    at._seconds = 10.0  # work takes long here, far longer than a guess is wrong
    assert at.take_now(A) is not None
    first = asking(at, B)
    await settle()
    with pytest.raises(LimitExceeded, match="would not be your turn") as caught:
        await at.take(B)

    assert caught.value.retry_seconds == 20.0
    assert not first.done()
    first.cancel()


async def test_who_leaves_while_waiting_or_just_after_being_served_leaves_nothing_behind() -> None:
    at = queue()
    held = at.take_now(A)
    assert held is not None
    leaving, staying = asking(at, B), asking(at, C)
    await settle()
    leaving.cancel()
    await settle()
    held.release()  # C has it now, and does not know yet
    staying.cancel()
    await settle()

    assert (at.held, at.waiting) == (0, 0)
    ticket = at.take_now(A)
    assert ticket is not None
    ticket.release()
    ticket.release()
    assert at.held == 0


async def test_one_that_left_is_passed_over_even_before_its_task_has_run() -> None:
    at = queue()
    held = at.take_now(A)
    assert held is not None
    leaving, staying = asking(at, B), asking(at, C)
    await settle()
    leaving.cancel()
    held.release()

    (await staying).release()
    assert leaving.cancelled()
    assert (at.held, at.waiting) == (0, 0)


async def test_what_is_known_of_callers_is_bounded() -> None:
    at = queue()
    for n in range(20_000):
        ticket = at.take_now(Caller(str(n)))
        assert ticket is not None
        ticket.release(0.001 * n)
    assert len(at._accounts) <= 4097

    history = CostHistory(0.2)
    for n in range(MOST_CALLERS + 100):
        history.note(n, 1.0)
    assert len(history) == MOST_CALLERS
    assert history.cost(0) is Cost.USUAL  # forgotten


def test_dear_work_is_remembered_in_proportion_to_what_it_took() -> None:
    now = [1000.0]
    history = CostHistory(0.2, share=50.0, longest=60.0, clock=lambda: now[0])
    history.note("cheap", 0.1)
    history.note("dear", 0.3)
    history.note("dearest", 30.0)
    assert [history.cost(k) for k in ("new", "cheap", "dear")] == [Cost.USUAL, Cost.CHEAP, Cost.DEAR]

    now[0] += 15.1
    assert [history.cost(k) for k in ("dear", "dearest")] == [Cost.CHEAP, Cost.DEAR]
    now[0] += 45.0
    assert history.cost("dearest") is Cost.CHEAP
