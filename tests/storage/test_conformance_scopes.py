"""Every back end: lists, counts and searches stay inside a scope; grants and policies are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.grant import Grant, StoredGrant
from llm_schema_registry_server.model.scope import EVERYTHING, NOTHING, Scope, SubjectScope
from llm_schema_registry_server.model.stored_policies import StoredPolicies
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, RankedPage, SchemaFilter
from tests.support.storage import START, insert, version

ALL = Page(1000)
NAMES = (
    ":.a:orders", ":.a:orders.x", ":.ab:orders", ":x", "*", "A", "[o]", "a", "a%b", "a_b", "axb", "orders", "orders.a",
    "orders.a.b", "orders.b", "orders/c", "ordersß", "secret", "secret.a", "zz", "￿y", "\U0001f600x",
)  # fmt: skip


def scope(*included: str, without: Sequence[str] = ()) -> SubjectScope:
    return SubjectScope(map(Scope.parse, included)).without(map(Scope.parse, without))


def layered(*layers: tuple[str, bool]) -> SubjectScope:
    return SubjectScope([Scope.parse("*")], [(Scope.parse(text), belongs) for text, belongs in layers])


SCOPES = (
    EVERYTHING,
    NOTHING,
    scope("orders"),
    scope("orders.*"),
    scope("orders.*", "a", ":.a:*"),
    scope(":.:*"),
    scope("*a*"),
    scope("a_b", "a%?", "[*"),
    scope("o*s", "orders.*", "orders.a.*", "*c"),
    scope("*", without=["secret.*", ":.a:*"]),
    scope("*", without=["*a"]),
    scope("orders*", without=["orders.a*", "*ß"]),
    scope(*(f"n{number}" for number in range(80)), "orders", "zz"),
    scope("*y", ":.a:*x", "secret?*"),
    layered(("orders.a*", True), ("orders*", False), (":.a:*", False)),
    layered(("*b", True), ("*a*", False), ("secret", False)),
)


async def test_lists_and_counts_stay_inside_a_scope(store: Store) -> None:
    await insert(store, *(version(name, n) for name in NAMES for n in (1, 2)))

    async with store.read() as tx:
        for asked in SCOPES:
            inside = sorted(name for name in NAMES if asked.contains(name))
            subjects = await tx.subjects(page=ALL, scope=asked)
            assert [str(s) for s in subjects] == inside, asked
            assert await tx.count_subjects(scope=asked) == len(inside), asked
            versions = await tx.scan_versions(SchemaFilter(scope=asked), ALL)
            assert [(str(v.subject), v.ordinal) for v in versions] == [
                (name, n) for name in inside for n in (1, 2)
            ], asked
            assert await tx.count_versions(SchemaFilter(scope=asked)) == 2 * len(inside), asked


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_pages_of_a_scope_follow_each_other(store: Store, size: int) -> None:
    await insert(store, *(version(name, n) for name in NAMES for n in (1, 2)))

    async with store.read() as tx:
        for asked in SCOPES:
            inside = sorted(name for name in NAMES if asked.contains(name))
            seen: list[str] = []
            after: tuple[str, int] | None = None
            while page := await tx.subjects(page=Page(size, after=after), scope=asked):
                seen += map(str, page)
                after = (str(page[-1]), 0)
            assert seen == inside, asked
            places: list[tuple[str, int]] = []
            while found := await tx.scan_versions(
                SchemaFilter(scope=asked), Page(size, after=places[-1] if places else None)
            ):
                places += [(str(v.subject), v.ordinal) for v in found]
            assert places == [(name, n) for name in inside for n in (1, 2)], asked
            skipped = await tx.subjects(page=Page(size, offset=2), scope=asked)
            assert [str(s) for s in skipped] == inside[2 : 2 + size], asked


@pytest.mark.parametrize(
    "wanted",
    [
        {"subject_prefix": "orders"},
        {"subject_pattern": "*s*"},
        {"subject_prefix": "o", "subject_pattern": "ord*.a"},
        {"subject_prefix": "secret", "subject_pattern": "orders*"},
        {"subject": "orders.a"},
        {"text": "marked"},
        {"text": "marked", "subject_prefix": "orders."},
        {"tags": ("red",)},
        {"latest_only": True},
        {"include_deleted": True},
    ],
)
async def test_a_filter_and_a_scope_hold_together(store: Store, wanted: dict[str, object]) -> None:
    red = {"tags": ("red",), "description": "marked"}
    await insert(
        store,
        *(version(name, 1, **(red if place % 2 else {})) for place, name in enumerate(NAMES)),
        *(version(name, 2, deleted_at=START) for name in NAMES[::3]),
    )

    async with store.read() as tx:
        everything = await tx.scan_versions(SchemaFilter(**wanted), ALL)  # type: ignore[arg-type]
        for asked in SCOPES:
            filter_ = SchemaFilter(**wanted, scope=asked)  # type: ignore[arg-type]
            expected = [v.schema_id for v in everything if asked.contains(str(v.subject))]
            assert [v.schema_id for v in await tx.scan_versions(filter_, ALL)] == expected, asked
            assert await tx.count_versions(filter_) == len(expected), asked
            if "text" in wanted:
                ranked = await tx.ranked_versions(filter_, RankedPage(1000))
                assert ranked is not None
                assert sorted(hit.version.schema_id for hit in ranked.hits) == sorted(expected), asked
                assert ranked.total == len(expected), asked


def grant(holder: str = "user:ada", role: str = "reader", on: str = "orders.*") -> StoredGrant:
    return StoredGrant(Grant(holder, role, Scope.parse(on)), "root", START)


async def test_a_grant_is_there_until_it_is_removed(store: Store) -> None:
    given = [grant(), grant(on="*"), grant(role="admin"), grant("role:Ümläut team", on=":.ctx:*")]
    async with store.write() as tx:
        for each in given:
            assert await tx.put_grant(each)
        assert not await tx.put_grant(StoredGrant(given[0].grant, "somebody else", START + timedelta(1)))
    async with store.read() as tx:
        assert await tx.count_grants() == 4
        listed = await tx.grants(("", "", ""), 10)
        assert listed == [given[3], given[2], given[1], given[0]]
        assert await tx.grants(("user:ada", "reader", "*"), 1) == [given[0]]
    async with store.write() as tx:
        assert await tx.remove_grant(given[0].grant)
        assert not await tx.remove_grant(given[0].grant)
    async with store.read() as tx:
        assert await tx.count_grants() == 3


async def test_policies_have_versions(store: Store) -> None:
    made = [StoredPolicies(number, f'{{"n":{number}}}', "root", START) for number in (1, 2, 3)]
    async with store.read() as tx:
        assert await tx.policies() is None
    async with store.write() as tx:
        for each in made:
            await tx.add_policies(each)
    with pytest.raises(ConcurrentUpdate):
        async with store.write() as tx:
            await tx.add_policies(made[2])
    async with store.write() as tx:
        await tx.forget_policies(1)
    async with store.read() as tx:
        assert await tx.policies() == made[2]
        assert await tx.policies(2) == made[1]
        assert await tx.policies(1) is None
