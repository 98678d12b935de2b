"""Every back end: filters, full text, pages and counts mean the same."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.pattern import matches
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage import search
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.storage import START, insert, version

ALL = Page(limit=1000)
NAMES = (
    "100%", "100x", "A[b]c", "Axc", "a*b", "a.b", "a?b", "a\\b", "a_b", "axb", "b'c\"d", "orders", "orders-value",
    "ordersß", "ORDERS", "öl", "öl2", "\U0001f600x", "￿y", ":.ctx:orders", ":.ctx2:orders", "x" * 255,
)  # fmt: skip


async def found(store: Store, page: Page = ALL, **wanted: object) -> list[str]:
    async with store.read() as tx:
        filter_ = SchemaFilter(**wanted)  # type: ignore[arg-type]
        rows = await tx.scan_versions(filter_, page)
        if page is ALL:
            assert await tx.count_versions(filter_) == len(rows)
        return [f"{v.subject}@{v.ordinal}" for v in rows]


def latest(names: list[str]) -> list[str]:
    return [f"{name}@1" for name in sorted(names)]


async def test_everything_is_sorted_by_code_points_then_ordinal(store: Store) -> None:
    await insert(store, *(version(name) for name in NAMES), *(version("orders", n) for n in (10, 2)))

    listed = await found(store)

    assert listed == [f"{n}@{o}" for n in sorted(NAMES) for o in ((1, 2, 10) if n == "orders" else (1,))]


PATTERNS = (
    "*", "?", "orders", "orders*", "*orders", "*r*r*", "a?b", "a*b", "A[b]c", "100%", "a_b", "a\\b", "b'c\"d", "öl*",
    "\U0001f600?", "\uffeey*", ":.ctx:*", ":.ctx?:*", "**", "x" * 255, "ORDERS", "nothing", "a\\?b", "[a]*", "%",
)  # fmt: skip


async def test_a_pattern_has_two_wildcards_and_nothing_else(store: Store) -> None:
    await insert(store, *(version(name) for name in NAMES))

    for pattern in PATTERNS:
        wanted = latest([n for n in NAMES if matches(pattern, n)])
        assert await found(store, subject_pattern=pattern) == wanted, pattern


async def test_a_subject_is_taken_literally_and_whole(store: Store) -> None:
    await insert(store, *(version(name) for name in NAMES), version("orders", 2))

    for name in NAMES:
        ordinals = (1, 2) if name == "orders" else (1,)
        assert await found(store, subject=name) == [f"{name}@{n}" for n in ordinals]
    assert await found(store, subject="order") == []
    assert await found(store, Page(1, 0, ("orders", 1)), subject="orders") == ["orders@2"]


async def test_a_prefix_is_taken_literally(store: Store) -> None:
    await insert(store, *(version(name) for name in NAMES))

    for prefix in (*NAMES, "a", "o", "ö", "\U0001f600", "\U0010ffff", "\ud7ff", ":.ctx", "%", "a*"):
        wanted = [n for n in NAMES if n.startswith(prefix)]
        assert await found(store, subject_prefix=prefix) == latest(wanted), prefix
        async with store.read() as tx:
            subjects = await tx.subjects(prefix=prefix, page=ALL)
            total = await tx.count_subjects(prefix=prefix)
        assert (list(map(str, subjects)), total) == (sorted(wanted), len(wanted)), prefix


async def test_prefix_and_pattern_must_both_hold(store: Store) -> None:
    await insert(store, *(version(name) for name in NAMES))

    assert await found(store, subject_prefix="orders", subject_pattern="*value") == ["orders-value@1"]


async def test_type_state_and_deletion_filter(store: Store) -> None:
    await insert(
        store,
        version("a", schema_type=SchemaType.AVRO),
        version("b", state=SchemaState.DRAFT),
        version("c", deleted_at=START),
    )

    assert await found(store) == ["a@1", "b@1"]
    assert await found(store, include_deleted=True) == ["a@1", "b@1", "c@1"]
    assert await found(store, schema_type=SchemaType.AVRO) == ["a@1"]
    assert await found(store, state=SchemaState.DRAFT) == ["b@1"]


async def test_all_tags_and_all_pairs_must_be_there_exactly(store: Store) -> None:
    await insert(
        store,
        version("a", tags=("pii", "gold"), metadata={"team": "core", "tier": "1"}),
        version("b", tags=("pii",), metadata={"team": "core"}),
        version("c", tags=("PII", "pi"), metadata={"team": "Core", "core": "team"}),
        version("d", tags=("x\0y",), metadata={"x": "\0y"}),
    )

    assert await found(store, tags=("pii",)) == ["a@1", "b@1"]
    assert await found(store, tags=("gold", "pii")) == ["a@1"]
    assert await found(store, metadata={"team": "core"}) == ["a@1", "b@1"]
    assert await found(store, metadata={"team": "core", "tier": "1"}, tags=("pii",)) == ["a@1"]
    assert await found(store, metadata={"team": ""}) == []
    assert await found(store, tags=("x\0y",)) == ["d@1"]


async def test_changed_tags_and_words_are_found_and_old_ones_are_not(store: Store) -> None:
    before = version(tags=("old",), metadata={"k": "ancient"}, description="stale words")
    await insert(store, before, names=("fieldName",))

    async with store.write() as tx:
        await tx.update_version(
            replace(before, tags=("new",), metadata={"k": "modern"}, description="fresh words")
        )

    assert await found(store, tags=("old",)) == []
    assert await found(store, metadata={"k": "ancient"}) == []
    assert await found(store, tags=("new",), metadata={"k": "modern"}) == ["orders@1"]
    for word in ("old", "ancient", "stale"):
        assert await found(store, text=word) == []
    for word in ("new", "modern", "fresh", "words", "fieldname", "orders"):
        assert await found(store, text=word) == ["orders@1"]


async def test_a_removed_version_is_not_found(store: Store) -> None:
    gone = version(tags=("t",), description="needle")
    await insert(store, gone)
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)

    assert await found(store, text="needle", include_deleted=True) == []
    assert await found(store, tags=("t",), include_deleted=True) == []


QUERIES: tuple[tuple[str, list[str]], ...] = (
    ("customer", ["a", "b"]),
    ("CUSTOMER", ["a", "b"]),
    ("cust", ["a", "b"]),
    ("customer address", ["a"]),
    ("address customer", ["a"]),
    ("ustomer", []),
    ("shippingAddress", ["a"]),
    ("shipping_address", ["a"]),
    ("address", ["a"]),
    ("straße", ["b"]),
    ("STRASSE", ["b"]),
    ("東京", ["b"]),
    ("payments", ["a"]),
    ("gold", ["a"]),
    ("core", ["b"]),
    ("", ["a", "b"]),
    ("!!! --", ["a", "b"]),
    ('"; DROP TABLE words; --', []),
    ('customer" OR "x', ["a"]),  # `or` begins Order, `x` is a value: no operators
    ("customer*", ["a", "b"]),
    ("NOT customer", []),
    ("a:customer", ["a"]),
    ("(", ["a", "b"]),
    ("nothing", []),
    ("customer\0", ["a", "b"]),
    ("x" * 100_000, []),
)


async def test_every_word_must_begin_a_word(store: Store) -> None:
    await insert(
        store,
        version("a", tags=("gold",), description="Payments of a customer", metadata={"team": "x"}),
        names=("Order", "shippingAddress", "id"),
    )
    await insert(
        store, version("b", metadata={"team": "core", "city": "東京都"}), names=("customer_id", "Straße")
    )

    for text, subjects in QUERIES:
        assert await found(store, text=text) == [f"{s}@1" for s in subjects], text[:50]


async def test_latest_only_is_the_newest_selectable_before_other_filters(store: Store) -> None:
    await insert(
        store,
        version("a", 1, tags=("t",)),
        version("a", 2, state=SchemaState.DEPRECATED),
        version("a", 3, state=SchemaState.DRAFT),
        version("a", 4, deleted_at=START),
        version("b", 1, state=SchemaState.REGISTERED),
        version("c", 1),
    )

    assert await found(store, latest_only=True) == ["a@2", "c@1"]
    assert await found(store, latest_only=True, include_deleted=True) == ["a@2", "c@1"]
    assert await found(store, latest_only=True, tags=("t",)) == []
    assert await found(store, latest_only=True, text="a") == ["a@2"]


async def test_pages_by_key_and_by_offset_cover_everything_once(store: Store) -> None:
    await insert(store, *(version(name, n) for name in NAMES[:8] for n in (1, 2, 11)))
    everything = await found(store)

    by_offset = [k for at in range(0, 30, 5) for k in await found(store, Page(5, offset=at))]
    by_key: list[str] = []
    after: tuple[str, int] | None = None
    while True:
        page = await found(store, Page(5, after=after))
        if not page:
            break
        by_key += page
        name, _, ordinal = page[-1].rpartition("@")
        after = (name, int(ordinal))

    assert by_offset == by_key == everything
    assert await found(store, Page(2, offset=1, after=after)) == []
    assert await found(store, Page(0)) == []


async def test_subjects_are_paged_counted_and_hidden_with_their_last_live_version(store: Store) -> None:
    await insert(store, *(version(name) for name in NAMES), version("orders", 2, deleted_at=START))
    await insert(store, version("gone", deleted_at=START))

    async with store.read() as tx:
        listed = await tx.subjects(page=Page(3, offset=2))
        following = await tx.subjects(page=Page(100, after=(str(listed[-1]), 0)))
        everything = await tx.subjects(page=ALL, include_deleted=True)
        total, with_deleted = await tx.count_subjects(), await tx.count_subjects(include_deleted=True)

    assert [str(s) for s in (*listed, *following)] == sorted(NAMES)[2:]
    assert total == len(NAMES)
    assert with_deleted == len(everything) == len(NAMES) + 1
    assert everything[sorted([*NAMES, "gone"]).index("gone")] == Subject.parse("gone")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=4),
    query=st.text(st.characters(codec="utf-8"), max_size=12),
)
async def test_full_text_means_what_the_reference_says(store: Store, words: list[str], query: str) -> None:
    made = version(f"s{id(words)}-{len(words)}", description=" ".join(words[:2]))
    made = replace(made, subject=Subject.parse(f"s-{made.schema_id}"))
    await insert(store, made, names=tuple(words[2:]))
    index = search.about_words(made) | search.name_words(words[2:])
    async with store.read() as tx:
        rows = await tx.scan_versions(SchemaFilter(text=query, subject_prefix=str(made.subject)), ALL)

    assert bool(rows) == search.matches(made, sorted(index), SchemaFilter(text=query))
