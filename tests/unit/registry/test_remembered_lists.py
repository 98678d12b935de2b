"""What is remembered of lists and searches: counted once, and never told of another list or for too long."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.model.scope import EVERYTHING, Scope, SubjectScope
from llm_schema_registry_server.registry.general_searches import MOST, SECONDS, GeneralSearches
from llm_schema_registry_server.registry.subject_counts import MOST_LISTS, SubjectCounts, SubjectList
from llm_schema_registry_server.storage import ranking
from llm_schema_registry_server.storage.values import Page, SchemaFilter, SubjectTotals
from tests.support.registry import World

ALL = SubjectList("", False, EVERYTHING)
SOME = SubjectList("a", False, EVERYTHING)


async def subjects(registry: World, prefix: str = "", **asked: object) -> tuple[list[str], int]:
    page = await registry.reading.subjects(prefix, **{"limit": 2, "offset": None, "page_token": "", **asked})  # type: ignore[arg-type]
    return [str(s) for s in page.subjects], page.total


async def test_pages_by_offset_cover_every_subject_once_whatever_came_between(registry: World) -> None:
    for name in ("b", "d", "a1", "c", "a2"):
        await registry.register(name, "x")

    assert await subjects(registry, offset=0) == (["a1", "a2"], 5)
    assert await subjects(registry, offset=2) == (["b", "c"], 5)
    await registry.register("a0", "x")
    assert await subjects(registry, offset=2) == (["a2", "b"], 6)
    assert await subjects(registry, offset=4) == (["c", "d"], 6)
    assert await subjects(registry, offset=4, prefix="a") == ([], 3)
    assert await subjects(registry, prefix="a") == (["a0", "a1"], 3)


async def test_a_subject_that_is_deleted_leaves_the_number(registry: World) -> None:
    for name in ("a", "b"):
        await registry.register(name, "x")
    assert (await subjects(registry), await subjects(registry, prefix="a")) == ((["a", "b"], 2), (["a"], 1))

    async with registry.store.write() as tx:
        for version in await registry.versions("a"):
            await tx.remove_version(version.schema_id)

    assert (await subjects(registry), await subjects(registry, prefix="a")) == ((["b"], 1), ([], 0))


async def test_a_list_is_counted_once_until_subjects_change(registry: World) -> None:
    await registry.register("a", "x")
    counts = SubjectCounts()
    async with registry.store.read() as tx:
        totals = await tx.subject_totals()
        assert await counts.total(tx, SOME, totals) == 1
    await registry.register("ab", "x")
    async with registry.store.read() as tx:
        assert await counts.total(tx, SOME, totals) == 1  # of the same moment
        assert await counts.total(tx, SOME, await tx.subject_totals()) == 2
        only_b = SubjectList("", False, SubjectScope([Scope.parse("b*")]))
        assert await counts.total(tx, only_b, await tx.subject_totals()) == 0
        assert await counts.total(tx, ALL, SubjectTotals(7, 9, 3)) == 7
        assert await counts.total(tx, SubjectList("", True, EVERYTHING), SubjectTotals(7, 9, 3)) == 9


def test_a_place_is_only_that_of_the_same_list_at_the_same_moment() -> None:
    counts, totals = SubjectCounts(), SubjectTotals(9, 9, 5)
    counts.note(ALL, totals, 4, "d")

    assert counts.shortened(ALL, totals, Page(2, 4)) == Page(2, 0, ("d", 0))
    for other, moment, page in (
        (SOME, totals, Page(2, 4)),
        (ALL, totals, Page(2, 5)),
        (ALL, totals, Page(2, 4, ("x", 0))),
        (ALL, SubjectTotals(9, 9, 6), Page(2, 4)),
    ):
        assert counts.shortened(other, moment, page) == page


def test_only_so_many_lists_are_remembered() -> None:
    counts, totals = SubjectCounts(), SubjectTotals(9, 9, 5)
    for n in range(MOST_LISTS + 1):
        counts.note(SubjectList(str(n), False, EVERYTHING), totals, 4, "d")

    first = SubjectList("0", False, EVERYTHING)
    assert counts.shortened(first, totals, Page(2, 4)) == Page(2, 4)


class Hand:
    """A clock."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_general_question_is_remembered_for_a_while() -> None:
    clock = Hand()
    general, wanted = GeneralSearches(clock), SchemaFilter(text="a")
    assert not general.knows(wanted)

    general.note(wanted)
    assert (general.knows(wanted), general.total(wanted)) == (True, None)
    general.note(wanted, ranking.MOST_HITS + 1, 7)
    assert general.total(wanted) == (ranking.MOST_HITS + 1, 7)
    assert not general.knows(SchemaFilter(text="a", tags=("b",)))

    clock.now = SECONDS
    assert (general.knows(wanted), general.total(wanted)) == (False, None)


def test_what_can_be_ranked_again_is_forgotten() -> None:
    general, wanted = GeneralSearches(), SchemaFilter(text="a")
    general.note(wanted)
    general.note(wanted, ranking.MOST_HITS)

    assert not general.knows(wanted)


def test_only_so_many_questions_are_remembered() -> None:
    general = GeneralSearches()
    for n in range(MOST + 1):
        general.note(SchemaFilter(text=str(n)))

    assert not general.knows(SchemaFilter(text="0"))
    assert general.knows(SchemaFilter(text=str(MOST)))


async def test_a_general_question_is_counted_once(registry: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "MOST_HITS", 1)
    for name in ("a.orders", "b.orders"):
        await registry.register(name, "x")

    async def total() -> int:
        found = await registry.reading.search(
            SchemaFilter(text="orders"), limit=1, offset=None, page_token=""
        )
        assert [str(item.version.subject) for item in found.items] == ["a.orders"]
        return found.total

    assert await total() == 2
    await registry.register("c.orders", "x")
    assert await total() == 2  # for half a minute
