"""Every back end: how many versions a subject has, how many subjects there are, and who uses a version, without counting rows."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.model.schema import ResolvedReference, SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import SubjectTotals
from tests.support.storage import START, insert, version

SUBJECTS = ("orders", "payments", ":.ctx:orders", "shop.käse")


async def totals(store: Store) -> SubjectTotals:
    async with store.read() as tx:
        return await tx.subject_totals()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_to_versions_totals_and_stamps_are_those_of_the_lists(
    store: Store, seed: int
) -> None:
    chance = random.Random(seed)
    held: dict[str, SchemaVersion] = {}
    highest = dict.fromkeys(SUBJECTS, 0)
    for _ in range(30):
        subject = chance.choice(SUBJECTS)
        here = [v for v in held.values() if str(v.subject) == subject]
        async with store.write() as tx:
            await tx.lock_subject(Subject.parse(subject))
            match chance.choice(["add", "add", "delete", "undelete", "remove", "touch"]) if here else "add":
                case "add":
                    highest[subject] += chance.choice([1, 1, 3])
                    deleted = chance.choice([None, None, START])
                    made = version(subject, highest[subject], deleted_at=deleted)
                    await tx.insert_version(made, ())
                    held[made.schema_id] = made
                case "remove":
                    gone = chance.choice(here)
                    await tx.remove_version(gone.schema_id)
                    del held[gone.schema_id]
                case what:
                    before = chance.choice(here)
                    deleted = {"delete": START, "undelete": None}.get(what, before.deleted_at)
                    after = replace(before, deleted_at=deleted, revision=before.revision + 1)
                    await tx.update_version(after)
                    held[after.schema_id] = after
        every = {str(v.subject) for v in held.values()}
        live = {str(v.subject) for v in held.values() if v.live}
        found = await totals(store)
        assert (found.live, found.subjects) == (len(live), len(every))
        async with store.read() as tx:
            for name in SUBJECTS:
                versions = [v for v in held.values() if str(v.subject) == name]
                stamp = len(versions), max((v.revision for v in versions), default=0)
                assert await tx.subject_stamp(Subject.parse(name)) == stamp
                assert await tx.next_ordinal(Subject.parse(name)) == highest[name] + 1


async def test_the_number_of_changes_grows_when_a_subject_joins_or_leaves_those_that_are_listed(
    store: Store,
) -> None:
    first, second = version(ordinal=1), version(ordinal=2)
    seen = [(await totals(store)).changes]

    async def grew() -> bool:
        seen.append((await totals(store)).changes)
        return seen[-1] > seen[-2]

    await insert(store, first)
    assert await grew()
    await insert(store, second)
    for each in (first, second):
        async with store.write() as tx:
            await tx.lock_subject(each.subject)
            await tx.update_version(replace(each, deleted_at=START))
    assert await grew()
    async with store.write() as tx:
        await tx.lock_subject(first.subject)
        await tx.update_version(first)
    assert await grew()
    async with store.write() as tx:
        await tx.lock_subject(first.subject)
        await tx.remove_version(first.schema_id)
        await tx.remove_version(second.schema_id)
    assert await grew()
    assert await totals(store) == SubjectTotals(0, 0, seen[-1])


def using(subject: str, *used: SchemaVersion, **values: object) -> SchemaVersion:
    references = tuple(
        ResolvedReference(f"r{n}", v.subject, v.ordinal, SemanticVersion(1, 0, 0), v.schema_id)
        for n, v in enumerate(used)
    )
    return version(subject, references=references, **values)


def names(
    edges: Sequence[tuple[str, SchemaVersion]] | None, versions: Sequence[SchemaVersion]
) -> list[tuple[str, str]]:
    assert edges is not None
    of = {v.schema_id: str(v.subject) for v in versions}
    return [(of[used], str(user.subject)) for used, user in edges]


async def test_all_references_that_lead_to_a_version_are_read_at_once(store: Store) -> None:
    base = version("base")
    left, right = using("left", base), using("right", base)
    top = using("top", right, left)
    other = using("other", top)
    gone = using("gone", base, deleted_at=START)
    behind, lonely = using("behind", gone), version("lonely")
    every = (base, left, right, top, other, gone, behind, lonely)
    await insert(store, *every)

    async with store.read() as tx:
        edges = await tx.dependent_edges(base.schema_id, 5, 5)
        assert sorted(names(edges, every)) == [
            ("base", "left"), ("base", "right"), ("left", "top"), ("right", "top"), ("top", "other"),
        ]  # fmt: skip
        assert [str(user.subject) for _, user in edges or ()] == ["left", "other", "right", "top", "top"]
        assert names(await tx.dependent_edges(top.schema_id, 5, 5), every) == [("top", "other")]
        assert await tx.dependent_edges(lonely.schema_id, 5, 5) == []
        assert await tx.dependent_edges("nothing", 5, 5) == []


@pytest.mark.parametrize(
    ("versions", "edges", "fits"), [(5, 5, True), (4, 5, False), (5, 4, False), (6, 9, True)]
)
async def test_more_references_than_wanted_are_not_read(
    store: Store, versions: int, edges: int, fits: bool
) -> None:
    base = version("base")
    left, right = using("left", base), using("right", base)
    top = using("top", right, left)
    await insert(store, base, left, right, top, using("other", top))

    async with store.read() as tx:
        assert (await tx.dependent_edges(base.schema_id, versions, edges) is not None) == fits
