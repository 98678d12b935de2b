"""One setting bounds the memory of all caches of results."""

from __future__ import annotations

from llm_schema_registry_server.settings.tree import CachesSettings

MIB = 1 << 20


def test_the_total_is_shared_in_proportion() -> None:
    caches = CachesSettings(answers_bytes=100 * MIB, schema_bytes=300 * MIB, total_bytes=40 * MIB)

    assert (caches.answers, caches.schemas) == (10 * MIB, 30 * MIB)


def test_a_total_that_is_not_reached_changes_nothing() -> None:
    for total in (None, 400 * MIB):
        caches = CachesSettings(answers_bytes=100 * MIB, schema_bytes=300 * MIB, total_bytes=total)

        assert (caches.answers, caches.schemas) == (100 * MIB, 300 * MIB)
