"""Identifiers: distinct, ordered as they were made, whoever makes them."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm_schema_registry_server.registry import ids


def test_ids_are_distinct_and_in_order_and_version_7() -> None:
    made = [ids.new_schema_id() for _ in range(20_000)]

    assert made == sorted(set(made))
    assert {uuid.UUID(one).version for one in made} == {7}
    assert {uuid.UUID(one).variant for one in made} == {uuid.RFC_4122}
    assert all(map(ids.is_schema_id, made))


def test_ids_of_threads_are_distinct() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ids.new_schema_id(), range(5000)))

    assert len(set(made)) == len(made)


def test_the_random_parts_of_ids_differ() -> None:
    tails = {ids.new_schema_id()[-12:] for _ in range(3000)}

    assert len(tails) == 3000


def test_ids_of_one_millisecond_are_in_order_and_go_into_the_next_when_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)  # the clock stands, behind what has been made
    made = [ids.new_schema_id() for _ in range(3 * 4096)]

    assert made == sorted(set(made))
    assert len({one[:13] for one in made}) >= 3


@pytest.mark.parametrize("text", ["", "no-such-id", "x" * 36, "5F0C3C7E-9B1D-4C57-8A53-2F6F1C7F9A10"])
def test_what_is_no_uuid_in_canonical_form_is_no_schema_id(text: str) -> None:
    assert not ids.is_schema_id(text)
