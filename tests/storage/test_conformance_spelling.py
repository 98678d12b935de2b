"""Every back end: the same word is near to one that nothing begins with."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry_server.storage import spelling
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import insert, version


async def corrected(store: Store, *words: str) -> dict[str, str | None]:
    async with store.read() as tx:
        return dict(await tx.corrections(words))


async def test_a_word_that_nothing_begins_with_is_corrected(store: Store) -> None:
    await insert(
        store, version("shop.customer", tags=("premium",), description="all invoices", metadata={"k": "payroll"}),
        names=("shippingAddress",),
    )  # fmt: skip

    assert await corrected(store, "custmer", "adress", "premum", "invoces", "cust", "shop", "xyzzy") == {
        "custmer": "customer", "adress": "address", "premum": "premium", "invoces": "invoices",
        "xyzzy": None,
    }  # fmt: skip
    assert await corrected(store) == {}


async def test_the_most_similar_word_is_meant_and_the_alphabet_decides_between_equals(store: Store) -> None:
    await insert(store, version("a", description="orders ordered order border recorder"))

    assert await corrected(store, "ordders", "bordre") == {"ordders": "orders", "bordre": "border"}
    await insert(store, version("b", description="bat cat"))
    assert await corrected(store, "dat") == {"dat": None}
    await insert(store, version("c", description="tabby tabbx"))
    assert await corrected(store, "tabbz") == {"tabbz": "tabbx"}


async def test_words_of_other_letters_are_left_alone(store: Store) -> None:
    await insert(store, version("a", description="straßen 東京都 v2beta abcdefg1"))

    assert await corrected(store, "straßn", "東都", "v2bta", "abcdefg2", "strasen") == {
        "straßn": None, "東都": None, "v2bta": None, "abcdefg2": None, "strasen": "strassen",
    }  # fmt: skip


async def test_a_word_that_is_gone_is_not_meant_any_more(store: Store) -> None:
    gone, changed = version("a.customer"), version("b", description="customers")
    await insert(store, gone, changed)
    assert await corrected(store, "custmer") == {"custmer": "customer"}

    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)
    assert await corrected(store, "custmer") == {"custmer": "customers"}

    async with store.write() as tx:
        await tx.update_version(replace(changed, description="custom"))
    assert await corrected(store, "custmer") == {"custmer": "custom"}


WORDS = st.text("abc", min_size=2, max_size=7)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.lists(WORDS, max_size=8), asked=WORDS)
async def test_near_is_what_the_reference_says(store: Store, known: list[str], asked: str) -> None:
    made = version(description=" ".join(known))
    await insert(store, made)
    words = {*known, "orders"}
    expected = {} if any(w.startswith(asked) for w in words) else {asked: None}
    if expected and spelling.is_spelled(asked):
        expected = {asked: next(iter(spelling.nearest(asked, words)), None)}

    assert await corrected(store, asked) == expected

    async with store.write() as tx:
        await tx.remove_version(made.schema_id)
