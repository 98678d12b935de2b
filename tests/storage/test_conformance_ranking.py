"""Every back end: the same hits have the same score and come in the same order, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.scope import Scope, SubjectScope
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage import ranking, search
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, Ranked, RankedPage, SchemaFilter
from tests.support.storage import START, insert, version

ALL = RankedPage(limit=1000)


async def ranked(store: Store, text: str, page: RankedPage = ALL, **wanted: object) -> Ranked:
    answer = await ranked_or_not(store, text, page, **wanted)
    assert answer is not None
    return answer


async def ranked_or_not(store: Store, text: str, page: RankedPage = ALL, **wanted: object) -> Ranked | None:
    async with store.read() as tx:
        return await tx.ranked_versions(SchemaFilter(text=text, **wanted), page)  # type: ignore[arg-type]


async def found(store: Store, text: str, **wanted: object) -> list[str]:
    answer = await ranked(store, text, **wanted)
    assert answer.total == len(answer.hits)
    return [f"{hit.version.subject}@{hit.version.ordinal}" for hit in answer.hits]


async def scores(store: Store, text: str) -> Mapping[str, int]:
    return {str(hit.version.subject): hit.score for hit in (await ranked(store, text)).hits}


async def test_the_place_of_a_word_counts_and_then_whether_it_is_whole(store: Store) -> None:
    await insert(
        store, version("a", description="orders of today"), version("b", metadata={"k": "ordersheet"})
    )
    await insert(store, version("c"), names=("ordersTotal",))
    await insert(store, version("d"), names=("orderset",))
    await insert(store, version("e", tags=("orders",)), version("f", tags=("x-ordersy",)))
    await insert(
        store, version("orders.g"), version("ordersy.h"), version("i.orders-value"), version("j.ordersome")
    )
    await insert(store, version("k/shop.orders"), version(":.orders:orders"))

    assert await scores(store, "orders") == {
        ":.orders:orders": 110, "k/shop.orders": 110, "i.orders-value": 10, "j.ordersome": 9, "orders.g": 8,
        "ordersy.h": 7, "e": 6, "f": 5, "c": 4, "d": 3, "a": 2, "b": 1,
    }  # fmt: skip
    assert [s.partition("@")[0] for s in await found(store, "orders")] == list(await scores(store, "orders"))


async def test_the_best_place_of_a_word_counts(store: Store) -> None:
    await insert(store, version("a.order", tags=("orders",), description="orders"), names=("orders",))

    assert await scores(store, "orders") == {"a.order": 6}
    assert await scores(store, "orde") == {"a.order": 9}


async def test_points_of_words_add_up_and_a_word_counts_once(store: Store) -> None:
    await insert(store, version("shop.order-items", tags=("pii",), description="all that was bought"))

    assert await scores(store, "pii bought") == {"shop.order-items": 6 + 2}
    assert await scores(store, "pii PII pii") == {"shop.order-items": 6}
    assert await scores(store, "bought " * 20 + "pii shop order item al tha w b") == {
        "shop.order-items": 2 + 6 + 8 + 10 + 9 + 1 + 1 + 1
    }


async def test_the_name_itself_comes_first_whatever_else_is_said(store: Store) -> None:
    await insert(
        store, version("shop.order-items"), version("items.order"), version("a", tags=("order", "items"))
    )

    assert await found(store, "order items") == ["shop.order-items@1", "items.order@1", "a@1"]
    assert await found(store, "shop.order-items") == ["shop.order-items@1"]
    assert (await scores(store, "ORDER items"))["shop.order-items"] == 120
    assert (await scores(store, "shop/order_items"))["shop.order-items"] == 128
    assert (await scores(store, "items order"))["items.order"] == 118


async def test_words_in_other_letters_rank_as_well(store: Store) -> None:
    await insert(
        store, version("maße.Straße", tags=("Öl",)), version("x", description="STRASSE öl maße 東京")
    )
    await insert(store, version("東京.都"))

    assert await scores(store, "strasse") == {"maße.Straße": 110, "x": 2}
    assert await scores(store, "ÖL") == {"maße.Straße": 6, "x": 2}
    assert await scores(store, "東") == {"東京.都": 7, "x": 1}


async def test_of_one_subject_the_newer_version_comes_first(store: Store) -> None:
    await insert(store, *(version(name, n) for name in ("b.orders", "a.orders") for n in (1, 10, 2)))

    assert await found(store, "orders") == [f"{s}.orders@{n}" for s in "ab" for n in (10, 2, 1)]


async def test_filters_hold_for_what_is_ranked(store: Store) -> None:
    await insert(
        store,
        version("a.orders", 1, tags=("gold",)),
        version("a.orders", 2, state=SchemaState.DEPRECATED),
        version("a.orders", 3, state=SchemaState.DRAFT),
        version("a.orders", 4, deleted_at=START),
        version("orders.b", tags=("gold",), metadata={"k": "v"}),
    )

    assert await found(store, "orders", latest_only=True) == ["a.orders@2", "orders.b@1"]
    assert await found(store, "orders", tags=("gold",)) == ["a.orders@1", "orders.b@1"]
    assert await found(store, "orders", metadata={"k": "v"}) == ["orders.b@1"]
    assert await found(store, "orders", subject_pattern="*.b") == ["orders.b@1"]
    assert await found(store, "orders", include_deleted=True, subject_prefix="a.") == [
        f"a.orders@{n}" for n in (4, 3, 2, 1)
    ]
    assert await found(store, "nothing") == []


async def test_a_changed_version_ranks_as_it_is_now(store: Store) -> None:
    before = version("a", tags=("orders",), description="stale")
    await insert(store, before, names=("total",))
    async with store.write() as tx:
        await tx.update_version(replace(before, tags=("stale",), description="orders"))

    assert (await scores(store, "orders"), await scores(store, "stale")) == ({"a": 2}, {"a": 6})
    assert await scores(store, "total") == {"a": 4}


async def test_a_removed_version_is_not_ranked(store: Store) -> None:
    gone = version("a.orders")
    await insert(store, gone)
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)

    assert await found(store, "orders", include_deleted=True) == []


async def test_pages_by_key_and_by_offset_cover_every_hit_once(store: Store) -> None:
    names = (
        "orders",
        "a.orders",
        "orders.a",
        "b.orders-value",
        "c",
        "ordersß",
        "\U0001f600.orders",
        "\uffee.orders",
    )
    await insert(store, *(version(n, o, description="orders") for n in names for o in (1, 2, 11)))
    everything = list((await ranked(store, "orders")).hits)

    by_offset = [
        hit for at in range(0, 30, 5) for hit in (await ranked(store, "orders", RankedPage(5, at))).hits
    ]
    by_key = []
    page = RankedPage(5)
    while (answer := await ranked(store, "orders", page)).hits:
        assert answer.total == len(everything)
        by_key += answer.hits
        last = answer.hits[-1]
        page = RankedPage(5, after=(last.score, str(last.version.subject), last.version.ordinal))

    assert len(everything) == 24
    assert by_offset == by_key == everything
    past_the_end = await ranked(store, "orders", RankedPage(5, offset=100))
    assert (past_the_end.hits, past_the_end.total) == ([], 24)


async def test_more_hits_than_are_ranked_are_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "MOST_HITS", 3)
    await insert(store, *(version(f"{n}.orders") for n in "abc"))
    assert await found(store, "orders") == ["a.orders@1", "b.orders@1", "c.orders@1"]

    await insert(store, version("d.orders", tags=("gold",)))
    assert await ranked_or_not(store, "orders") is None
    assert await ranked_or_not(store, "orders", RankedPage(5, after=(110, "a.orders", 1))) is None
    assert await found(store, "orders", tags=("gold",)) == ["d.orders@1"]


async def test_tags_without_end_leave_the_title_short(store: Store) -> None:
    many = version("a", tags=tuple(f"{'x' * 100}{n:03}" for n in range(100)))
    await insert(store, many)

    assert len(ranking.title(many)) < 2100
    assert await scores(store, f"{'x' * 100}000") == {"a": 6}
    assert await scores(store, f"{'x' * 100}099") == {"a": 2}


WORDS = st.sampled_from(["a", "ab", "abc", "Ab", "abC", "b", "ba", "ß", "ss", "1", "a1"])
TEXTS = st.lists(WORDS, max_size=3).map(" ".join)
NAMES = st.lists(st.tuples(WORDS, st.sampled_from([".", "/", "-", "_", ":", ""])), min_size=1, max_size=4)


@st.composite
def versions(draw: st.DrawFn) -> tuple[SchemaVersion, tuple[str, ...]]:
    name = "".join(word + between for word, between in draw(NAMES))
    made = version(
        name,
        description=draw(TEXTS),
        tags=tuple(draw(st.lists(WORDS, max_size=2))),
        metadata={"k": draw(TEXTS)},
    )
    return made, tuple(draw(st.lists(WORDS, max_size=3)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(versions(), min_size=1, max_size=5),
    text=st.lists(WORDS, min_size=1, max_size=3).map(" ".join),
)
async def test_scores_are_what_the_reference_says(
    store: Store, made: list[tuple[SchemaVersion, tuple[str, ...]]], text: str
) -> None:
    prefix = f":.{made[0][0].schema_id}:"
    expected = {}
    for number, (drawn, names) in enumerate(made):
        one = replace(drawn, subject=Subject.parse(f"{prefix}{drawn.subject}"), ordinal=number + 1)
        one = replace(one, version=replace(one.version, minor=number))
        await insert(store, one, names=names)
        known = ranking.found(one, names)
        if search.matches(one, known.words, SchemaFilter(text=text)):
            expected[one.schema_id] = ranking.score(text, known)

    answer = await ranked(store, text, subject_prefix=prefix)

    assert {hit.version.schema_id: hit.score for hit in answer.hits} == expected
    places = [(-h.score, str(h.version.subject), -h.version.ordinal) for h in answer.hits]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "text", ["orders", "ord", "orders pii", "käse", "amount ord", "nothing", "orders nothing"]
)
@pytest.mark.parametrize(
    "rest",
    [
        {}, {"include_deleted": True}, {"latest_only": True}, {"tags": ("pii",)}, {"metadata": {"k": "käse"}},
        {"subject_prefix": "b"}, {"subject_pattern": "*.orders"}, {"schema_type": SchemaType.AVRO},
        {"scope": SubjectScope([Scope.parse("a.*"), Scope.parse("c*")])},
    ],
)  # fmt: skip
async def test_what_is_too_general_to_be_ranked_is_listed_and_counted_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch, text: str, rest: dict[str, Any]
) -> None:
    for n, subject in enumerate(("a.orders", "b.orders", "c.border", "a.Käse", "orders", "c")):
        for ordinal in (1, 2, 3):
            made = version(
                subject, ordinal, description="all orders" if n % 2 else "x", tags=("pii",) if ordinal > 1 else (),
                metadata={"k": "käse"} if n % 3 else {}, deleted_at=START if (n + ordinal) % 5 == 0 else None,
                schema_type=SchemaType.AVRO if ordinal == 2 else SchemaType.JSON,
            )  # fmt: skip
            await insert(store, made, names=("orderId", "amount") if n > 2 else ())
    wanted = SchemaFilter(text=text, **rest)

    async def listed() -> tuple[list[SchemaVersion], list[SchemaVersion], int]:
        async with store.read() as tx:
            everything = list(await tx.scan_versions(wanted, Page(100)))
            behind = list(await tx.scan_versions(wanted, Page(100, after=("b", 0))))
            return everything, behind, await tx.count_versions(wanted)

    expected = await listed()
    monkeypatch.setattr(ranking, "MOST_HITS", 1)
    assert await listed() == expected
    assert expected[2] == len(expected[0])
    assert (await ranked_or_not(store, text, **rest) is None) == (len(expected[0]) > 1)
