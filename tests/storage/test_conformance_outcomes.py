"""Outcomes of answers on every back end: they add up, are found by subject, model and day, and go with their versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from llm_schema_registry_server.model.outcomes import Counted, ModelOutcomes, Outcomes
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import insert, version

AT = datetime(2026, 11, 1, 12, 0, 0, 5, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
SUBJECT = Subject.parse("s")
ONE = Outcomes(10, 7, 2, 1, 1)


async def put_versions(store: Store, *ordinals: int, subject: str = "s") -> list[str]:
    """The ids of new versions."""
    made = [version(subject, ordinal) for ordinal in ordinals]
    for each in made:
        await insert(store, each)
    return [each.schema_id for each in made]


def counted(
    schema_id: str, ordinal: int, model: str = "m", day: int = 5, place: int = 1, outcomes: Outcomes = ONE
) -> Counted:
    return Counted(schema_id, SUBJECT, ordinal, model, place, day, outcomes)


async def count(store: Store, rows: Sequence[Counted], at: datetime = AT) -> None:
    async with store.write() as tx:
        await tx.lock_outcomes()
        await tx.count_outcomes(rows, at)


def places(found: Sequence[ModelOutcomes]) -> list[tuple[int, str]]:
    return [(each.ordinal, each.model) for each in found]


async def test_outcomes_add_up(store: Store) -> None:
    (first,) = await put_versions(store, 1)
    await count(store, [counted(first, 1), counted(first, 1, "é/x", place=2)])
    await count(store, [counted(first, 1, day=6, place=9)], LATER)
    await count(store, [counted(first, 1, day=6)], AT)
    async with store.read() as tx:
        assert await tx.outcomes_of([(first, "m"), (first, "none"), ("nobody", "m")]) == [
            ModelOutcomes(first, SUBJECT, 1, "m", 1, ONE + ONE + ONE, LATER)
        ]
        assert await tx.outcomes_of([]) == []
        keys = [(first, "m"), (first, "é/x"), (first, "none")]
        assert await tx.outcomes_between(keys, 6, 7) == {(first, "m"): ONE + ONE}
        assert await tx.outcomes_between(keys, 0, 6) == {(first, "m"): ONE, (first, "é/x"): ONE}
        models = await tx.counted_models([first, "nobody"])
        assert {schema_id: set(of_one) for schema_id, of_one in models.items()} == {first: {"m", "é/x"}}


async def test_outcomes_of_a_subject_come_by_version_and_model_in_pages(store: Store) -> None:
    one, two = await put_versions(store, 1, 2)
    (other,) = await put_versions(store, 1, subject="t")
    elsewhere = Counted(other, Subject.parse("t"), 1, "m", 1, 5, ONE)
    await count(
        store, [counted(two, 2, "a"), counted(one, 1, "b"), counted(one, 1, "a"), counted(two, 2), elsewhere]
    )
    every = [(1, "a"), (1, "b"), (2, "a"), (2, "m")]
    async with store.read() as tx:
        assert places(await tx.subject_outcomes(SUBJECT, (0, ""), 99, "", 10)) == every
        assert places(await tx.subject_outcomes(SUBJECT, (0, ""), 99, "", 3)) == every[:3]
        assert places(await tx.subject_outcomes(SUBJECT, (1, "a"), 99, "", 2)) == every[1:3]
        assert places(await tx.subject_outcomes(SUBJECT, (1, ""), 1, "", 10)) == every[:2]
        assert places(await tx.subject_outcomes(SUBJECT, (0, ""), 99, "a", 10)) == [(1, "a"), (2, "a")]
        assert places(await tx.subject_outcomes(SUBJECT, (1, "a"), 99, "a", 10)) == [(2, "a")]
        assert places(await tx.subject_outcomes(SUBJECT, (1, "aa"), 99, "b", 10)) == [(1, "b")]
        assert await tx.subject_outcomes(Subject.parse("nobody"), (0, ""), 99, "", 10) == []


async def test_a_version_is_compared_with_the_newest_earlier_one_that_has_the_model(store: Store) -> None:
    one, two, three = await put_versions(store, 1, 2, 3)
    rows = [counted(one, 1), counted(one, 1, "a"), counted(two, 2), counted(three, 3), counted(three, 3, "a")]
    await count(store, [*rows, counted(three, 3, "new")])
    async with store.read() as tx:
        found = await tx.subject_outcomes(SUBJECT, (0, ""), 99, "", 10)
        earlier = await tx.earlier_outcomes(found)
        assert await tx.earlier_outcomes([]) == {}
    assert {key: before.ordinal for key, before in earlier.items()} == {
        (two, "m"): 1,
        (three, "m"): 2,
        (three, "a"): 1,
    }


async def test_outcomes_go_with_their_versions(store: Store) -> None:
    one, two = await put_versions(store, 1, 2)
    await count(store, [counted(one, 1), counted(two, 2), counted("0198c0de-0000-7000-8000-000000000009", 3)])
    async with store.write() as tx:
        await tx.remove_version(one)
    async with store.read() as tx:
        assert places(await tx.subject_outcomes(SUBJECT, (0, ""), 99, "", 10)) == [(2, "m")]
        assert set(await tx.outcomes_between([(one, "m"), (two, "m")], 0, 99)) == {(two, "m")}
    await count(store, [counted(one, 1)])
    async with store.read() as tx:
        assert await tx.outcomes_of([(one, "m")]) == []


async def test_a_report_is_remembered_for_a_while(store: Store) -> None:
    async with store.write() as tx:
        await tx.note_reports(["a", "b"], AT)
        await tx.note_reports(["c"], LATER)
        assert set(await tx.noted_reports(["a", "c", "d"])) == {"a", "c"}
        assert list(await tx.noted_reports([])) == []
    async with store.write() as tx:
        assert await tx.forget_reports(LATER, 1) == 1
        assert await tx.forget_reports(LATER, 10) == 1
        assert await tx.forget_reports(LATER, 10) == 0
        assert set(await tx.noted_reports(["a", "b", "c"])) == {"c"}


async def test_old_days_are_forgotten_and_the_sums_stay(store: Store) -> None:
    (one,) = await put_versions(store, 1)
    for day in (3, 4, 5):
        await count(store, [counted(one, 1, day=day)])
    async with store.write() as tx:
        assert await tx.forget_outcome_days(5, 1) == 1
        assert await tx.forget_outcome_days(5, 10) == 1
        assert await tx.forget_outcome_days(5, 10) == 0
    async with store.read() as tx:
        assert await tx.outcomes_between([(one, "m")], 0, 99) == {(one, "m"): ONE}
        (found,) = await tx.outcomes_of([(one, "m")])
        assert found.outcomes == ONE + ONE + ONE


async def test_drops_are_marked_and_counted_while_they_are_fresh(store: Store) -> None:
    one, two = await put_versions(store, 1, 2)
    await count(store, [counted(one, 1), counted(two, 2)])
    async with store.write() as tx:
        await tx.mark_drop((two, "m"), LATER)
        await tx.mark_drop(("nobody", "m"), LATER)
    await count(store, [counted(two, 2)])
    async with store.read() as tx:
        assert [f.dropped_at for f in await tx.outcomes_of([(one, "m")])] == [None]
        assert [f.dropped_at for f in await tx.outcomes_of([(two, "m")])] == [LATER]
        assert await tx.count_drops(AT) == 1
        assert await tx.count_drops(LATER) == 0
    async with store.write() as tx:
        await tx.mark_drop((two, "m"), None)
        assert await tx.count_drops(AT) == 0


async def test_what_is_rolled_back_was_not_counted(store: Store) -> None:
    (one,) = await put_versions(store, 1)
    try:
        async with store.write() as tx:
            await tx.count_outcomes([counted(one, 1)], AT)
            await tx.note_reports(["a"], AT)
            raise KeyError("for the test")
    except KeyError:
        pass
    async with store.read() as tx:
        assert await tx.outcomes_of([(one, "m")]) == []
        assert list(await tx.noted_reports(["a"])) == []
