"""Kept answers: never stale, never over their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer

PATH = "/s/M"
ANSWER = CachedAnswer(b"body", (("x-registry-revision", "r"),))


def tags(request: pb.GetSchemaRequest, response: pb.GetSchemaResponse) -> list[str]:
    return [f"schema:{request.schema_id}", *(f"subject:{s}" for s in [response.schema.subject] if s)]


def keep(
    hot: AnswerCache, name: str, *, token: int | None = None, subject: str = "", body: bytes = b"body"
) -> bool:
    request = pb.GetSchemaRequest(schema_id=name)
    response = pb.GetSchemaResponse(schema=pb.SchemaInfo(subject=subject))
    token = hot.begin() if token is None else token
    return hot.store(
        token, "grpc", PATH, name.encode(), request, response, CachedAnswer(body, ANSWER.metadata)
    )


def answers(max_bytes: int = 1 << 20) -> AnswerCache:
    return AnswerCache((PATH,), tags, max_bytes)  # type: ignore[arg-type]


def test_an_answer_comes_back_with_its_metadata_on_its_own_wire_only() -> None:
    hot = answers()
    keep(hot, "a")

    assert hot.lookup("grpc", PATH, b"a") == ANSWER
    assert hot.lookup("http", PATH, b"a") is None
    assert hot.stats().hits == {(PATH, "grpc"): 1, (PATH, "http"): 0}
    assert hot.stats().misses == 1


def test_invalidating_any_of_its_tags_drops_an_answer_and_no_other() -> None:
    hot = answers()
    for name in "ab":
        keep(hot, name, subject="orders")
    keep(hot, "c", subject="users")
    hot.invalidate("subject:orders")

    assert [hot.lookup("grpc", PATH, k) is None for k in (b"a", b"b", b"c")] == [True, True, False]


def test_an_answer_begun_before_an_invalidation_is_refused_and_one_begun_after_is_kept() -> None:
    hot = answers()
    before = hot.begin()
    hot.invalidate("schema:a")

    assert not keep(hot, "a", token=before)
    assert keep(hot, "a")
    assert keep(hot, "b", token=before)


def test_clear_drops_everything_and_what_is_being_computed() -> None:
    hot = answers()
    before = hot.begin()
    keep(hot, "a")
    hot.clear()

    assert hot.lookup("grpc", PATH, b"a") is None
    assert not keep(hot, "b", token=before)
    assert hot.stats().bytes == 0


def test_a_token_older_than_what_is_remembered_is_refused() -> None:
    hot = answers()
    before = hot.begin()
    for i in range(5000):
        hot.invalidate(f"schema:{i}")

    assert not keep(hot, "a", token=before)


def test_an_answer_that_depends_on_nothing_or_is_huge_is_not_kept() -> None:
    hot = AnswerCache((PATH,), lambda _, __: (), 1 << 20)
    assert not keep(hot, "a")
    assert not keep(answers(10_000), "a", body=bytes(5_000))


def test_the_answer_used_longest_ago_goes_first() -> None:
    hot = answers(10 * 1000)
    for name in "abcdefgh":
        keep(hot, name, body=bytes(290))
    hot.lookup("grpc", PATH, b"a")
    for name in "ijk":
        keep(hot, name, body=bytes(290))

    assert hot.lookup("grpc", PATH, b"a") is not None
    assert hot.lookup("grpc", PATH, b"b") is None


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
            hot.invalidate(f"schema:{name}")
        else:
            version = {k: v + 1 for k, v in version.items()}
            hot.clear()
        assert 0 <= hot.stats().bytes <= 8000
        for key, now in version.items():
            held = hot.lookup("grpc", PATH, key.encode())
            assert held is None or held.body.split(b" ")[0] == b"%d" % now


def counting(max_bytes: int = 1 << 20) -> AnswerCache:
    """Answers whose schema is called as their subject."""
    return AnswerCache((PATH,), tags, max_bytes, lambda response: response.schema.subject)  # type: ignore[arg-type,attr-defined]


def read(hot: AnswerCache) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, reads in hot.readings():
        found[name] = found.get(name, 0) + reads
    return found


def test_each_answer_that_goes_out_is_a_read_of_its_schema() -> None:
    hot = counting()
    keep(hot, "a", subject="orders")
    keep(hot, "b", subject="orders")
    keep(hot, "c", subject="users")
    keep(hot, "d")
    for name in (b"a", b"a", b"b", b"c", b"d", b"e"):
        hot.lookup("grpc", PATH, name)

    assert read(hot) == {"orders": 5, "users": 2}
    assert read(hot) == {}
    hot.lookup("grpc", PATH, b"c")
    assert read(hot) == {"users": 1}


def test_reads_are_told_of_answers_that_are_not_kept_any_more() -> None:
    hot = counting(max_bytes=10_000)
    stale = hot.begin()
    hot.invalidate("subject:never kept")
    keep(hot, "a", subject="never kept", token=stale)
    keep(hot, "b", subject="dropped")
    hot.lookup("grpc", PATH, b"b")
    hot.invalidate("subject:dropped")
    keep(hot, "c", subject="cleared")
    hot.lookup("grpc", PATH, b"c")
    hot.clear()
    for number in range(30):
        keep(hot, f"pushed out {number}", subject="pushed out")

    assert read(hot) == {"never kept": 1, "dropped": 2, "cleared": 2, "pushed out": 30}


def test_reads_between_one_part_of_the_readings_and_the_next_are_told_once() -> None:
    hot = counting()
    for name in "abcd":
        keep(hot, name, subject=name)
    assert read(hot) == dict.fromkeys("abcd", 1)
    for name in "abcd":
        hot.lookup("grpc", PATH, name.encode())
    told: dict[str, int] = {}
    for name, reads in hot.readings():
        told[name] = told.get(name, 0) + reads
        if name == "b":
            hot.lookup("grpc", PATH, b"a")
            hot.lookup("grpc", PATH, b"d")
            hot.invalidate("subject:c")
            hot.clear()

    for name, reads in read(hot).items():
        told[name] = told.get(name, 0) + reads
    assert told == {"a": 2, "b": 1, "c": 1, "d": 2}


def test_nothing_is_counted_for_nobody() -> None:
    hot = answers()
    keep(hot, "a", subject="orders")
    hot.lookup("grpc", PATH, b"a")

    assert read(hot) == {}
