"""The memory cache holds at most its limit in bytes and forgets what was used longest ago."""

from llm_schema_registry_server.caches.memory import OVERHEAD, MemoryCache, key_size


def cache(entries: int) -> MemoryCache[str, bytes]:
    return MemoryCache(entries * (OVERHEAD + key_size("a") + 10), len)


def test_the_least_recently_used_value_makes_room() -> None:
    values = cache(2)
    values.put("a", b"0123456789")
    values.put("b", b"0123456789")
    values.get("a")
    values.put("c", b"0123456789")

    assert (values.get("a") is not None, values.get("b"), values.get("c") is not None) == (True, None, True)
    assert values.stats().evictions == 1


def test_a_value_that_is_put_where_there_is_room_drives_nothing_out() -> None:
    values = cache(2)
    for key in ("a", "b", "c"):
        values.put_if_room(key, b"0123456789")

    assert [values.get(key) is not None for key in ("a", "b", "c")] == [True, True, False]
    assert values.stats().evictions == 0


def test_the_sum_of_sizes_stays_within_the_limit() -> None:
    values = cache(8)
    for n in range(100):
        values.put(str(n), b"x" * (n % 40))
        assert values.stats().size <= values.stats().limit


def test_a_value_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    values = cache(2)
    values.put("a", b"small")
    values.put("b", b"x" * 10_000)

    assert (values.get("a"), values.get("b")) == (b"small", None)


def test_a_larger_value_of_the_same_key_leaves_no_old_value_behind() -> None:
    values = cache(1)
    values.put("a", b"old")
    values.put("a", b"x" * 10_000)

    assert values.get("a") is None
    assert values.stats().size == 0


def test_hits_misses_and_entries_are_counted_and_clearing_is_not_an_eviction() -> None:
    values = cache(4)
    values.put("a", b"1")
    values.get("a")
    values.get("b")
    values.clear()

    stats = values.stats()
    assert (stats.hits, stats.misses, stats.evictions, stats.entries, stats.size) == (1, 1, 0, 0, 0)
