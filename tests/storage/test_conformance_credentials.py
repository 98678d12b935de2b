"""Every back end: API keys are found by id, name and either prefix; revoked tokens stay until they would have ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llm_schema_registry_server.errors import ConcurrentUpdate
from llm_schema_registry_server.model.api_key import (
    ApiKey,
    RevokedToken,
)
from llm_schema_registry_server.model.grant import RoleGrant
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import START, api_key, api_secret

LATER = START + timedelta(days=1)


async def insert(store: Store, *keys: ApiKey) -> None:
    async with store.write() as tx:
        for each in keys:
            await tx.insert_api_key(each)


async def test_a_key_is_read_as_it_was_written(store: Store) -> None:
    whole = api_key(
        expires_at=datetime.max.replace(tzinfo=UTC),
        previous=replace(api_secret(), valid_until=LATER),
        enabled=False,
        last_used_at=LATER,
    )
    plain = api_key("plain", grants=())
    await insert(store, whole, plain)

    async with store.read() as tx:
        assert await tx.api_key(whole.key_id) == whole
        assert await tx.api_key_named("ci") == whole
        assert await tx.api_key(plain.key_id) == plain
        assert await tx.api_key("another") is None
        assert await tx.api_key_named("CI") is None
        assert await tx.count_api_keys() == 2
    async with store.write() as tx:
        assert await tx.api_key(whole.key_id) == whole


async def test_a_key_is_found_by_the_prefix_of_either_secret(store: Store) -> None:
    rotated, other = api_key(previous=api_secret()), api_key("other")
    alike = api_key("alike", secret=replace(api_secret(), prefix=other.secret.prefix))
    await insert(store, rotated, other, alike)

    async with store.read() as tx:
        assert rotated.previous is not None
        for prefix in (rotated.secret.prefix, rotated.previous.prefix):
            assert await tx.api_keys_with(prefix) == [rotated]
        found = await tx.api_keys_with(other.secret.prefix)
        assert sorted(k.name for k in found) == ["alike", "other"]
        assert await tx.api_keys_with(other.secret.prefix.swapcase()) == []
        assert await tx.api_keys_with("") == []


async def test_an_update_replaces_all_but_name_and_last_use(store: Store) -> None:
    before = api_key(previous=api_secret(), last_used_at=START)
    after = api_key(grants=(RoleGrant("admin"),), enabled=False, expires_at=LATER, updated_at=LATER)
    await insert(store, before)
    async with store.write() as tx:
        await tx.update_api_key(replace(after, name="renamed", last_used_at=None))
        await tx.update_api_key(api_key("gone"))

    async with store.read() as tx:
        assert await tx.api_key(before.key_id) == replace(after, last_used_at=START)
        assert await tx.api_keys_with(before.secret.prefix) == []
        assert await tx.count_api_keys() == 1


async def test_a_removed_key_leaves_nothing(store: Store) -> None:
    gone = api_key(previous=api_secret())
    await insert(store, gone)
    async with store.write() as tx:
        await tx.remove_api_key(gone.key_id)
        await tx.remove_api_key("another")

    async with store.read() as tx:
        assert await tx.api_key(gone.key_id) is None
        assert gone.previous is not None
        assert not await tx.api_keys_with(gone.secret.prefix)
        assert not await tx.api_keys_with(gone.previous.prefix)
    await insert(store, api_key("ci", key_id="anew"))


@pytest.mark.parametrize("taken", ["ci", "other"])
async def test_ids_and_names_are_taken_once(store: Store, taken: str) -> None:
    await insert(store, api_key())
    double = api_key(taken, key_id="id of ci" if taken == "other" else "another")
    with pytest.raises(ConcurrentUpdate):
        await insert(store, double)
    async with store.read() as tx:
        assert await tx.count_api_keys() == 1


async def test_keys_are_listed_by_name(store: Store) -> None:
    names = ["a", "B", "b", "b.c", "\u00e9", "_"]
    await insert(store, *(api_key(name) for name in names))
    async with store.read() as tx:
        whole = [k.name for k in await tx.api_keys("", 10)]
        assert whole == sorted(names)
        assert [k.name for k in await tx.api_keys(whole[1], 2)] == whole[2:4]


async def test_last_uses_only_grow_and_make_no_change(store: Store) -> None:
    await insert(store, api_key(), api_key("other"))
    async with store.read() as tx:
        bounds = await tx.change_bounds()
    for at in (START, LATER, START):
        async with store.write() as tx:
            await tx.note_api_keys_used({"id of ci": at, "gone": LATER})
    async with store.write() as tx:
        await tx.note_api_keys_used({})

    async with store.read() as tx:
        used = {k.name: k.last_used_at for k in await tx.api_keys("", 10)}
        assert used == {"ci": LATER, "other": None}
        assert await tx.change_bounds() == bounds


async def test_two_who_change_a_key_do_it_one_after_the_other(store: Store) -> None:
    """Each adds a role to what it has read in its own transaction: none is lost."""
    await insert(store, api_key(grants=()))

    async def add(role: str) -> None:
        async with store.write() as tx:
            known = await tx.api_key("id of ci")
            assert known is not None
            await asyncio.sleep(0.01)
            await tx.update_api_key(replace(known, grants=(*known.grants, RoleGrant(role))))

    roles = [f"role {n}" for n in range(8)]
    await asyncio.gather(*map(add, roles))

    async with store.read() as tx:
        known = await tx.api_key("id of ci")
    assert known is not None
    assert sorted(grant.role for grant in known.grants) == roles


def revoked(token_id: str, ends: datetime = LATER, **values: str) -> RevokedToken:
    return RevokedToken(token_id, ends, START, "ada", **values)


async def test_revocations_are_read_as_they_were_written(store: Store) -> None:
    first, second = revoked("a", principal="bob", reason="lost \u00e9"), revoked("b")
    async with store.write() as tx:
        for each in (second, first, replace(second, reason="again")):
            await tx.put_revoked_token(each)

    async with store.read() as tx:
        again = replace(second, reason="again")
        assert await tx.revoked_tokens("", 10) == [first, again]
        assert await tx.revoked_tokens("a", 10) == [again]
        assert await tx.revoked_tokens("", 1) == [first]
        assert await tx.revoked_token("b") == again
        assert await tx.revoked_token("A") is None
        assert await tx.count_revoked_tokens() == 2


async def test_revocations_of_ended_tokens_are_forgotten(store: Store) -> None:
    async with store.write() as tx:
        for name, ends in (("past", START), ("now", LATER), ("future", LATER + timedelta(days=9))):
            await tx.put_revoked_token(revoked(name, ends))
    async with store.write() as tx:
        await tx.forget_revoked_tokens(LATER)

    async with store.read() as tx:
        assert [t.token_id for t in await tx.revoked_tokens("", 10)] == ["future", "now"]
