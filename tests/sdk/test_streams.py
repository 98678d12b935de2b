"""Listings, pages and batches: whole, in order, in bounded memory, across broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from llm_schema_registry import (
    Code,
    DeadlineExceeded,
    InternalError,
    SchemaNotFound,
    Unavailable,
    ValidationItem,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.sdk.conftest import Face, collect
from tests.sdk.fake_registry import Failure, FakeRegistry, answers, fails

BROKEN = Failure(Code.UNAVAILABLE)


def item(number: int) -> pb.SchemaInfo:
    return pb.SchemaInfo(id=str(number), page_token=f"after-{number}")


async def test_a_listing_goes_on_after_the_last_item_when_it_breaks(fake: FakeRegistry, client: Face) -> None:
    fake.script("ListSchemas", answers(item(1), item(2), then=BROKEN), answers(item(3)))

    found = await collect(client.list_schemas(subject_prefix="o", offset=5, limit=3))
    assert [s.id for s in found] == ["1", "2", "3"]
    rest = fake.calls["ListSchemas"][1].request
    assert (rest.page_token, rest.limit, rest.subject_prefix) == ("after-2", 1, "o")
    assert not rest.HasField("offset")


async def test_a_listing_whose_limit_is_reached_asks_no_more(fake: FakeRegistry, client: Face) -> None:
    fake.script("ListSchemas", answers(item(1), item(2), then=BROKEN))

    assert len(await collect(client.list_schemas(limit=2))) == 2
    assert len(fake.calls["ListSchemas"]) == 1


async def test_a_listing_that_makes_no_progress_gives_up(fake: FakeRegistry, client: Face) -> None:
    fake.script("ListSchemas", fails(Code.UNAVAILABLE))

    with pytest.raises(Unavailable):
        await collect(client.list_schemas())
    assert len(fake.calls["ListSchemas"]) == 4


async def test_a_listing_that_falls_silent_is_ended(fake: FakeRegistry, client: Face) -> None:
    async def one_then_silence(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        yield item(1)
        await asyncio.Event().wait()

    fake.script("ListSchemas", one_then_silence)

    with pytest.raises(DeadlineExceeded, match=r"nothing came for 0\.2 s"):
        await collect(client.list_schemas(timeout=0.2))


async def test_all_pages_are_one_iteration(fake: FakeRegistry, client: Face) -> None:
    fake.script(
        "ListSubjects",
        answers(pb.ListSubjectsResponse(subjects=["a", "b"], total_count=3, next_page_token="p2")),
        answers(pb.ListSubjectsResponse(subjects=["c"], total_count=3)),
    )

    assert await collect(client.iter_subjects(prefix="x", limit=2, offset=1)) == ["a", "b", "c"]
    first, second = (call.request for call in fake.calls["ListSubjects"])
    assert (first.page_token, first.offset) == ("", 1)
    assert (second.page_token, second.offset, second.prefix, second.limit) == ("p2", 0, "x", 2)


async def echo(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    """Reports on each payload: valid unless it says no; `bad` is a request that fails by itself."""
    async for request in requests:
        report = pb.ValidationReport(valid=request.data != b"no", schema_id=request.schema_id)
        if request.data == b"bad":
            report.valid = False
            report.error.CopyFrom(Failure(Code.NOT_FOUND, "gone", "SCHEMA_NOT_FOUND").status())
        yield report


async def test_a_batch_answers_each_item_in_order(fake: FakeRegistry, client: Face) -> None:
    fake.script("BatchValidate", echo)
    items = [(str(n), "no" if n % 3 == 0 else "yes") for n in range(300)]

    reports = await collect(client.validate_many(items, window=7))
    assert [r.schema_id for r in reports] == [str(n) for n in range(300)]
    assert [r.index for r in reports] == list(range(300))
    assert [r.valid for r in reports] == [n % 3 != 0 for n in range(300)]


async def test_a_bad_item_does_not_touch_the_others(fake: FakeRegistry, client: Face) -> None:
    fake.script("BatchValidate", echo)

    good, bad, after = await collect(client.validate_many([("a", "yes"), ("b", "bad"), ("c", "yes")]))
    assert good.error is None
    assert isinstance(bad.error, SchemaNotFound)
    assert not bad.valid
    assert after.valid


async def test_no_more_items_are_under_way_than_the_window_holds(fake: FakeRegistry, client: Face) -> None:
    arrived = asyncio.Event()
    release = asyncio.Event()
    taken = 0

    async def holds_back(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        for _ in range(4):
            await anext(requests)
        arrived.set()
        await release.wait()
        for _ in range(4):
            yield pb.ValidationReport(valid=True)
        async for _ in requests:
            yield pb.ValidationReport(valid=True)

    def source() -> Iterator[tuple[str, str]]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield "id", "data"

    fake.script("BatchValidate", holds_back)
    reports = asyncio.create_task(collect(client.validate_many(source(), window=4)))
    await arrived.wait()
    assert taken == 4
    release.set()
    assert len(await reports) == 50


async def test_a_batch_resends_what_has_no_answer_when_the_connection_breaks(
    fake: FakeRegistry, client: Face
) -> None:
    async def breaks_after_three(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        for _ in range(3):
            yield pb.ValidationReport(valid=True, schema_id=(await anext(requests)).schema_id)
        raise Failure(Code.UNAVAILABLE)

    fake.script("BatchValidate", breaks_after_three, breaks_after_three, echo)
    reports = await collect(client.validate_many([(str(n), "x") for n in range(20)], window=5))
    assert [r.schema_id for r in reports] == [str(n) for n in range(20)]
    assert [r.index for r in reports] == list(range(20))
    assert len(fake.calls["BatchValidate"]) == 3


async def test_a_batch_that_makes_no_progress_gives_up(fake: FakeRegistry, client: Face) -> None:
    fake.script("BatchValidate", fails(Code.UNAVAILABLE))

    with pytest.raises(Unavailable):
        await collect(client.validate_many([("a", "b")]))


async def test_a_batch_that_the_server_ends_too_early_is_a_failure(fake: FakeRegistry, client: Face) -> None:
    async def owes_one(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        for _ in range(2):
            await anext(requests)
        yield pb.ValidationReport(valid=True)

    fake.script("BatchValidate", owes_one)
    with pytest.raises(InternalError, match="after 1 answers"):
        await collect(client.validate_many([("a", "b"), ("c", "d")]))


async def test_a_batch_that_falls_silent_is_ended(fake: FakeRegistry, client: Face) -> None:
    async def silence(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield None

    fake.script("BatchValidate", silence)
    with pytest.raises(DeadlineExceeded, match="nothing came"):
        await collect(client.validate_many([("a", "b")], timeout=0.2))


@pytest.mark.parametrize("error", [LookupError("mine"), TimeoutError("mine"), Unavailable("mine")])
async def test_the_error_of_a_source_is_the_caller_s(
    error: Exception, fake: FakeRegistry, client: Face
) -> None:
    def source() -> Iterator[ValidationItem]:
        yield ValidationItem("a", "yes")
        raise error

    fake.script("BatchValidate", echo)
    with pytest.raises(type(error), match="mine"):
        await collect(client.validate_many(source()))
    assert len(fake.calls["BatchValidate"]) <= 1


async def test_who_leaves_a_batch_ends_its_call(fake: FakeRegistry, client: Face) -> None:
    ended = asyncio.Event()

    async def endless(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        try:
            async for _ in requests:
                yield pb.ValidationReport(valid=True)
        finally:
            ended.set()

    fake.script("BatchValidate", endless)
    reports = client.validate_many((("id", "x") for _ in range(1000)), window=4)
    assert len(await collect(reports, 10)) == 10
    await reports.aclose()
    await ended.wait()
    assert len(fake.calls["BatchValidate"][0].requests) <= 14


async def test_an_empty_batch_is_empty(fake: FakeRegistry, client: Face) -> None:
    fake.script("BatchValidate", echo)
    assert await collect(client.validate_many([])) == []


async def test_an_asynchronous_source_does_not_hold_up_reports(fake: FakeRegistry) -> None:
    from tests.sdk.conftest import connect

    seen = asyncio.Event()

    async def source() -> AsyncIterator[tuple[str, str]]:
        yield "first", "yes"
        await seen.wait()
        yield "second", "yes"

    fake.script("BatchValidate", echo)
    async with connect("asyncio", fake.target) as client:
        reports = []
        async for report in client.validate_many(source()):
            reports.append(report.schema_id)
            seen.set()
    assert reports == ["first", "second"]
