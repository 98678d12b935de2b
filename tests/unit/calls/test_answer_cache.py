"""Cached answers: never stale, never over their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer
from llm_schema_registry_server.calls.operation import REGISTRY, Resource, ResourceKind

ID = "/s/M"
METADATA = (("x-registry-revision", "r"),)


def key(name: str | bytes, face: str = "grpc") -> tuple[str, str, bytes]:
    return (face, ID, name if isinstance(name, bytes) else name.encode())


def subjects(*names: str) -> tuple[Resource, ...]:
    return tuple(Resource(ResourceKind.SUBJECT, name) for name in names)


def keep(
    cache: AnswerCache, name: str, *, token: int | None = None, subject: str = "", body: bytes = b"body"
) -> bool:
    """An answer that depends on the subject `of-<name>`, and on another one."""
    token = cache.begin() if token is None else token
    resources = subjects(f"of-{name}", *filter(None, [subject]))
    return cache.store(token, key(name), CachedAnswer(body, METADATA, resources))


def answers(max_bytes: int = 1 << 20) -> AnswerCache:
    return AnswerCache(max_bytes)


def test_an_answer_comes_back_with_what_belongs_to_it_in_its_own_face_only() -> None:
    hot = answers()
    keep(hot, "a", subject="orders")

    assert hot.lookup(key("a")) == CachedAnswer(b"body", METADATA, subjects("of-a", "orders"))
    assert hot.lookup(key("a", "http")) is None


def test_invalidating_any_of_its_tags_drops_an_answer_and_no_other() -> None:
    hot = answers()
    for name in "ab":
        keep(hot, name, subject="orders")
    keep(hot, "c", subject="users")
    hot.invalidate("orders")

    assert [hot.lookup(key(k)) is None for k in (b"a", b"b", b"c")] == [True, True, False]


def test_an_answer_begun_before_an_invalidation_is_refused_and_one_begun_after_is_kept() -> None:
    hot = answers()
    before = hot.begin()
    hot.invalidate("of-a")

    assert not keep(hot, "a", token=before)
    assert keep(hot, "a")
    assert keep(hot, "b", token=before)


def test_clear_drops_everything_and_what_is_being_computed() -> None:
    hot = answers()
    before = hot.begin()
    keep(hot, "a")
    hot.clear()

    assert hot.lookup(key(b"a")) is None
    assert not keep(hot, "b", token=before)
    assert hot.stats().bytes == 0


def test_a_token_older_than_what_is_remembered_is_refused() -> None:
    hot = answers()
    before = hot.begin()
    for i in range(5000):
        hot.invalidate(f"of-{i}")

    assert not keep(hot, "a", token=before)


def test_an_answer_that_depends_on_nothing_or_is_huge_is_not_kept() -> None:
    hot = answers()
    schema = Resource(ResourceKind.SCHEMA, "a")
    assert not hot.store(hot.begin(), key("a"), CachedAnswer(b"body", METADATA, (schema,)))
    assert not keep(answers(10_000), "a", body=bytes(5_000))


def test_the_answer_used_longest_ago_goes_first() -> None:
    hot = answers(10 * 1400)
    for name in "abcdefgh":
        keep(hot, name, body=bytes(290))
    ask(hot, "a")
    for name in "ijk":
        keep(hot, name, body=bytes(290))

    assert hot.lookup(key(b"a")) is not None
    assert hot.lookup(key(b"b")) is None


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["keep", "late", "invalidate", "clear"]),
            st.sampled_from("abcd"),
            st.integers(0, 900),
        )
    )
)
def test_whatever_happens_bytes_are_bounded_and_nothing_invalidated_is_served(
    steps: list[tuple[str, str, int]],
) -> None:
    hot = answers(8000)
    version = dict.fromkeys("abcd", 0)
    token, began = hot.begin(), dict(version)
    for step, name, size in steps:
        if step == "keep":
            keep(hot, name, body=b"%d " % version[name] + bytes(size))
        elif step == "late":
            keep(hot, name, token=token, body=b"%d " % began[name] + bytes(size))
            token, began = hot.begin(), dict(version)
        elif step == "invalidate":
            version[name] += 1
            hot.invalidate(f"of-{name}")
        else:
            version = {k: v + 1 for k, v in version.items()}
            hot.clear()
        assert 0 <= hot.stats().bytes <= 8000
        for name, now in version.items():
            held = hot.lookup(key(name))
            assert held is None or held.body.split(b" ")[0] == b"%d" % now


def counting(max_bytes: int = 1 << 20) -> AnswerCache:
    return AnswerCache(max_bytes, count_reads=True)


def keep_schema(cache: AnswerCache, name: str, *, schema: str = "", token: int | None = None) -> None:
    """An answer that hands out a schema, and depends on a subject of the same name."""
    token = cache.begin() if token is None else token
    answer = CachedAnswer(b"body", METADATA, subjects(schema or "none"), schema)
    cache.store(token, key(name), answer)


def ask(cache: AnswerCache, name: str) -> None:
    """As the pipeline does for a call."""
    answer = cache.lookup(key(name))
    if answer is None:
        cache.missed()
    else:
        cache.gave(key(name), answer)


def read(hot: AnswerCache) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, reads in hot.readings():
        found[name] = found.get(name, 0) + reads
    return found


def test_each_answer_that_goes_out_is_a_read_of_its_schema() -> None:
    hot = counting()
    keep_schema(hot, "a", schema="orders")
    keep_schema(hot, "b", schema="orders")
    keep_schema(hot, "c", schema="users")
    keep_schema(hot, "d")
    for name in ("a", "a", "b", "c", "d", "e"):
        ask(hot, name)

    assert read(hot) == {"orders": 5, "users": 2}
    assert read(hot) == {}
    ask(hot, "c")
    assert read(hot) == {"users": 1}


def test_reads_are_told_of_answers_that_are_not_kept_any_more() -> None:
    hot = counting(max_bytes=10_000)
    stale = hot.begin()
    hot.invalidate("never kept")
    keep_schema(hot, "a", schema="never kept", token=stale)
    keep_schema(hot, "b", schema="dropped")
    ask(hot, "b")
    hot.invalidate("dropped")
    keep_schema(hot, "c", schema="cleared")
    ask(hot, "c")
    hot.clear()
    for number in range(30):
        keep_schema(hot, f"pushed out {number}", schema="pushed out")

    assert read(hot) == {"never kept": 1, "dropped": 2, "cleared": 2, "pushed out": 30}


def test_reads_between_one_part_of_the_readings_and_the_next_are_told_once() -> None:
    hot = counting()
    for name in "abcd":
        keep_schema(hot, name, schema=name)
    assert read(hot) == dict.fromkeys("abcd", 1)
    for name in "abcd":
        ask(hot, name)
    told: dict[str, int] = {}
    for name, reads in hot.readings():
        told[name] = told.get(name, 0) + reads
        if name == "b":
            ask(hot, "a")
            ask(hot, "d")
            hot.invalidate("c")
            hot.clear()

    for name, reads in read(hot).items():
        told[name] = told.get(name, 0) + reads
    assert told == {"a": 2, "b": 1, "c": 1, "d": 2}


def test_nothing_is_counted_for_nobody() -> None:
    hot = answers()
    keep_schema(hot, "a", schema="orders")
    ask(hot, "a")

    assert read(hot) == {}


def keep_of_all(cache: AnswerCache, name: str, *, token: int | None = None, body: bytes = b"body") -> bool:
    """An answer that any subject may change."""
    token = cache.begin() if token is None else token
    return cache.store(token, key(name), CachedAnswer(body, (), (REGISTRY,)))


def test_an_answer_of_the_registry_is_dropped_by_any_change_and_by_no_other_answer() -> None:
    hot = answers()
    assert keep_of_all(hot, "search")
    keep(hot, "a")
    assert hot.lookup(key("search")) is not None

    hot.invalidate("of-b")
    assert hot.lookup(key("search")) is None
    assert hot.lookup(key("a")) is not None


def test_an_answer_of_the_registry_begun_before_any_change_is_refused() -> None:
    hot = answers()
    token = hot.begin()
    hot.invalidate("of-b")

    assert not keep_of_all(hot, "search", token=token)
    token = hot.begin()
    hot.clear()
    assert not keep_of_all(hot, "search", token=token)
    assert keep_of_all(hot, "search")


def test_answers_of_the_registry_do_not_take_the_place_of_others() -> None:
    hot = answers(64_000)
    keep(hot, "a")
    for number in range(100):
        keep_of_all(hot, f"search {number}", body=b"x" * 1000)
        held = hot.lookup(key("search 0"))
        if held is not None:
            hot.gave(key("search 0"), held)

    assert hot.lookup(key("a")) is not None
    assert hot.stats().bytes <= 64_000 // 4 + 1000
    assert hot.lookup(key("search 0")) is not None, "it was asked for all the time"
    assert hot.lookup(key("search 1")) is None
    hot.clear()
    assert (hot.stats().bytes, hot.stats().entries) == (0, 0)
