"""Profiles and verdicts on every back end: what is put is read, in order, and goes with its version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.profile import ProfileFit, ProfileVerdict, StoredProfile
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import insert, version

AT = datetime(2026, 11, 1, 12, 0, 0, 5, tzinfo=UTC)
OWN = StoredProfile("own", 2, '{"é": "\\u0000"}', "ada", AT)


def verdict(schema_id: str, profile: str = "own", **changes: object) -> ProfileVerdict:
    made = ProfileVerdict(
        schema_id, profile, 2, ProfileFit.REFUSED, "/a/minLength", "minLength", "keyword/minLength", "é", 3
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def put_version(store: Store, subject: str, ordinal: int) -> str:
    """The id of a new version."""
    made = version(subject, ordinal)
    await insert(store, made)
    return made.schema_id


async def test_a_profile_is_read_as_it_was_put(store: Store) -> None:
    another = replace(OWN, id="another")
    async with store.write() as tx:
        await tx.put_profile(OWN)
        await tx.put_profile(another)
    async with store.read() as tx:
        assert await tx.stored_profile("own") == OWN
        assert await tx.stored_profile("none") is None
        assert list(await tx.profile_marks()) == [another.mark, OWN.mark]


async def test_only_a_greater_version_takes_the_place_of_a_profile(store: Store) -> None:
    newer = replace(OWN, version=3, document="{}")
    async with store.write() as tx:
        await tx.put_profile(OWN)
        await tx.put_profile(newer)
    for number in (2, 3):
        with pytest.raises(ConcurrentUpdate):
            async with store.write() as tx:
                await tx.put_profile(replace(OWN, version=number))
    async with store.read() as tx:
        assert await tx.stored_profile("own") == newer
    async with store.write() as tx:
        assert await tx.remove_profile("own")
        assert not await tx.remove_profile("own")
        await tx.put_profile(OWN)


async def test_verdicts_take_the_place_of_those_before_and_go_with_their_versions(store: Store) -> None:
    first, second = [await put_version(store, "s", n) for n in (1, 2)]
    one, two = verdict(first), verdict(second, fit=ProfileFit.FITS, pointer="", findings=0)
    other = verdict(first, "other")
    async with store.write() as tx:
        await tx.put_verdicts([])
        await tx.put_verdicts([one, two, other, verdict("00000000-0000-7000-8000-000000000000")])
    async with store.read() as tx:
        found = await tx.verdicts_of([first, second, "nobody"])
        assert (len(found), set(found)) == (3, {one, two, other})
    newer = replace(one, profile_version=3, fit=ProfileFit.UNKNOWN)
    async with store.write() as tx:
        await tx.put_verdicts([newer])
        assert {v.profile: v for v in await tx.verdicts_of([first])} == {"own": newer, "other": other}
    async with store.write() as tx:
        await tx.remove_version(first)
    async with store.read() as tx:
        assert list(await tx.verdicts_of([first])) == []


async def test_versions_are_listed_by_how_they_fit(store: Store) -> None:
    ids = sorted([await put_version(store, f"s{n}", 1) for n in range(5)])
    async with store.write() as tx:
        await tx.put_verdicts([verdict(i) for i in ids[:4]] + [verdict(ids[4], fit=ProfileFit.UNKNOWN)])
        await tx.put_verdicts([verdict(i, "other") for i in ids])
        hidden = await tx.version(ids[2])
        assert hidden is not None
        await tx.update_version(replace(hidden, deleted_at=AT))
    async with store.read() as tx:
        first = await tx.judged_versions("own", ProfileFit.REFUSED, "", 2)
        rest = await tx.judged_versions("own", ProfileFit.REFUSED, ids[1], 2)
        assert [j.version.schema_id for j in (*first, *rest)] == [ids[0], ids[1], ids[3]]
        assert all(j.verdict == verdict(j.version.schema_id) for j in (*first, *rest))
        (unknown,) = await tx.judged_versions("own", ProfileFit.UNKNOWN, "", 10)
        assert unknown.version.schema_id == ids[4]
        assert not await tx.judged_versions("nobody", ProfileFit.REFUSED, "", 10)


async def test_verdicts_of_a_profile_are_forgotten_in_parts(store: Store) -> None:
    ids = [await put_version(store, f"s{n}", 1) for n in range(3)]
    async with store.write() as tx:
        await tx.put_verdicts([verdict(i, name) for i in ids for name in ("own", "other")])
    async with store.write() as tx:
        assert await tx.forget_verdicts("own", 2) == 2
        assert await tx.forget_verdicts("own", 2) == 1
        assert await tx.forget_verdicts("own", 2) == 0
        assert {v.profile for v in await tx.verdicts_of(ids)} == {"other"}


async def test_how_far_it_has_come_is_remembered(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.profile_watch() is None
    for state in ("{}", '{"a": 1}'):
        async with store.write() as tx:
            await tx.set_profile_watch(state)
        async with store.read() as tx:
            assert await tx.profile_watch() == state
