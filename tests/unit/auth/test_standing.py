"""What ends a credential is told to all who rely on it, and what was read of it before does not count after."""

from __future__ import annotations

import asyncio
import gc

from llm_schema_registry_server.auth.standing import MOST_ENDED, Standings


def test_a_standing_ends_once_and_tells_who_watches() -> None:
    standings, told = Standings(), list[str]()
    standing = standings.of("key a")
    other = standings.of("key b")
    standing.watch(lambda: told.append("one"))
    unwatch = standing.watch(lambda: told.append("two"))
    other.watch(lambda: told.append("other"))
    unwatch()

    standings.end("key a")
    standings.end("key a")

    assert (told, standing.counts, other.counts) == (["one"], False, True)
    assert standings.of("key a").counts, "a credential that is verified anew begins anew"


def test_everything_may_end() -> None:
    standings = Standings()
    before = [standings.of(name) for name in ("key a", "token b")]
    generation = standings.generation

    standings.end_all()

    assert not any(standing.counts for standing in before)
    assert standings.ended_since("anything", generation)
    assert not standings.ended_since("anything", standings.generation)


def test_what_was_read_before_an_end_does_not_count() -> None:
    standings = Standings()
    generation = standings.generation
    standings.end("key a")

    assert standings.ended_since("key a", generation)
    assert not standings.ended_since("key b", generation)
    assert not standings.ended_since("key a", standings.generation)


def test_of_ends_long_ago_nothing_is_known_and_nothing_counts() -> None:
    standings = Standings()
    generation = standings.generation
    for number in range(MOST_ENDED + 1):
        standings.end(f"token {number}")

    assert standings.ended_since("token 0", generation)
    assert standings.ended_since("another", generation)


async def test_thousands_are_told_while_others_have_their_turns() -> None:
    standings, told, turns = Standings(), list[int](), list[int]()
    standing = standings.of("key a")
    for number in range(2000):
        standing.watch(lambda number=number: told.append(number))  # type: ignore[misc]

    standings.end("key a")
    while len(told) < 2000:
        turns.append(len(told))
        await asyncio.sleep(0)

    assert told == list(range(2000))
    assert len(turns) >= 9, "in one piece"
    assert not standing.counts


def test_nothing_is_kept_of_credentials_that_nobody_relies_on() -> None:
    standings = Standings()
    for number in range(1000):
        standings.of(f"token {number}")
    gc.collect()

    assert len(standings) == 0


def test_keys_that_were_used_are_told_once() -> None:
    standings = Standings()
    kept = standings.of("key a")
    standings.of("key b")
    standings.of("token c")
    gc.collect()

    assert sorted(standings.used_keys()) == ["a", "b"], "also one that nobody relies on any more"
    assert standings.used_keys() == []
    kept.used = True
    assert standings.used_keys() == ["a"]
