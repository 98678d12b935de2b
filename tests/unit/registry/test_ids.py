"""Identifiers: distinct, ordered as they were made, whoever makes them."""

import uuid
from concurrent.futures import ThreadPoolExecutor

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
