"""Tickets: good once, for a while, for whoever has asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llm_schema_registry_server.auth.tickets import SECONDS, Tickets
from llm_schema_registry_server.errors import LimitExceeded, Unauthenticated
from llm_schema_registry_server.storage.memory.store import MemoryStore

SECRET = b"a secret that both replicas have"
SHOWN = {"authorization": "Bearer t", "user-agent": "x", "cookie": "y"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    await store.open()
    yield store
    await store.close()


async def test_a_ticket_stands_for_the_credentials_and_nothing_else(store: MemoryStore) -> None:
    tickets = Tickets(store)
    ticket, _ = tickets.make(SHOWN)
    assert await tickets.redeem(ticket) == {"authorization": "Bearer t"}
    assert "Bearer" not in ticket
    assert ticket != tickets.make(SHOWN)[0]


async def test_a_ticket_is_good_once_however_many_try_at_once(store: MemoryStore) -> None:
    tickets = Tickets(store)
    ticket, _ = tickets.make(SHOWN)
    found = await asyncio.gather(*(tickets.redeem(ticket) for _ in range(20)), return_exceptions=True)
    assert sum(not isinstance(one, Unauthenticated) for one in found) == 1


async def test_replicas_with_one_secret_take_each_other_s_tickets_and_each_once(store: MemoryStore) -> None:
    one, other = Tickets(store, SECRET), Tickets(store, SECRET)
    ticket, _ = one.make(SHOWN)
    assert await other.redeem(ticket) == {"authorization": "Bearer t"}
    for replica in (one, other):
        with pytest.raises(Unauthenticated):
            await replica.redeem(ticket)
    with pytest.raises(Unauthenticated):
        await Tickets(store).redeem(one.make(SHOWN)[0])
    with pytest.raises(Unauthenticated):
        await Tickets(store, SECRET + b".").redeem(one.make(SHOWN)[0])


async def test_a_ticket_of_nobody_costs_the_storage_nothing(store: MemoryStore) -> None:
    tickets = Tickets(store)
    ticket, _ = tickets.make({"user-agent": "x"})
    assert await tickets.redeem(ticket) == await tickets.redeem(ticket) == {}
    assert not tickets._held


async def test_another_registry_takes_none_with_the_same_secret(store: MemoryStore) -> None:
    elsewhere = MemoryStore()
    await elsewhere.open()
    ticket, _ = Tickets(elsewhere, SECRET).make(SHOWN)
    with pytest.raises(Unauthenticated):
        await Tickets(store, SECRET).redeem(ticket)
    await elsewhere.close()


async def test_a_ticket_is_good_for_a_while(store: MemoryStore) -> None:
    clock = Clock()
    tickets = Tickets(store, clock=clock)
    early, late = tickets.make(SHOWN)[0], tickets.make(SHOWN)
    assert late[1] == clock.now + SECONDS
    clock.now += SECONDS - 0.1
    assert await tickets.redeem(early)
    clock.now += 0.1
    with pytest.raises(Unauthenticated):
        await tickets.redeem(late[0])


async def test_one_bit_makes_it_bad(store: MemoryStore) -> None:
    tickets = Tickets(store)
    ticket, _ = tickets.make({"authorization": "Bearer " + "t" * 50})
    for place in range(len(ticket)):
        other = "A" if ticket[place] != "A" else "B"
        if place == len(ticket) - 1:  # some of its bits may stand for nothing
            continue
        with pytest.raises(Unauthenticated):
            await tickets.redeem(ticket[:place] + other + ticket[place + 1 :])
    assert await tickets.redeem(ticket)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wst_",
        "wst_AAAA",
        "wst_" + "A" * 9000,
        "wst_\x00",
        "wst_é",
        "x" * 100,
        "wst_====",
        "wst_" + "A" * 40,
    ],
)
async def test_what_is_no_ticket_is_refused(store: MemoryStore, text: str) -> None:
    with pytest.raises(Unauthenticated):
        await Tickets(store).redeem(text)


async def test_credentials_that_fit_into_no_url_make_no_ticket(store: MemoryStore) -> None:
    with pytest.raises(LimitExceeded, match="8192"):
        Tickets(store).make({"authorization": "Bearer " + "x" * 9000})


async def test_numbers_of_tickets_that_have_expired_do_not_stay(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = Tickets(store)
    for _ in range(5):
        await tickets.redeem(tickets.make(SHOWN)[0])
    assert len(tickets._held) == 5
    monkeypatch.setattr(tickets, "_monotonic", lambda: asyncio.get_running_loop().time() + 61)
    await tickets.redeem(tickets.make(SHOWN)[0])
    assert len(tickets._held) == 1
