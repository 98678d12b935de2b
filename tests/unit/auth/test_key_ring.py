"""A secret names a key by an index and a comparison in constant time; what changes meanwhile is not remembered."""

from __future__ import annotations

import asyncio
import hmac
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from llm_schema_registry_server.auth.access import Access
from llm_schema_registry_server.auth.authenticator import CredentialAuthenticator
from llm_schema_registry_server.auth.key_ring import KeyRing
from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.errors import Unauthenticated, Unavailable
from llm_schema_registry_server.model.access import AccessChange, AccessKind
from llm_schema_registry_server.model.api_key import ApiKey, StoredSecret, secret_of
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.storage.memory import MemoryStore
from tests.support.storage import api_key

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ANONYMOUS = Principal("anonymous", anonymous=True)


class Counting(MemoryStore):
    """Counts its reads, and lets something happen in the middle of one."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.meanwhile: Any = None

    def read(self) -> Any:
        self.reads += 1
        reading = super().read()
        if self.meanwhile is None:
            return reading
        return _Interrupted(reading, self.meanwhile)


class _Interrupted:
    def __init__(self, inner: Any, meanwhile: Any) -> None:
        self._inner, self._meanwhile = inner, meanwhile

    async def __aenter__(self) -> Any:
        return await self._inner.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        done = await self._inner.__aexit__(*error)
        await self._meanwhile()
        return done


class World:
    def __init__(self) -> None:
        self.store = Counting()
        self.access = Access(self.store, reload=lambda: None, granted=lambda: None)
        self.now = NOW
        self.seconds = 0.0
        ring = KeyRing(self.store, Roles(), self.access.standings, clock=lambda: self.now.timestamp())
        self.auth = CredentialAuthenticator(
            ANONYMOUS,
            self.access.standings,
            keys=ring,
            lockout_seconds=0,
            clock=lambda: self.now.timestamp(),
            monotonic=lambda: self.seconds,
        )

    async def add(self, **values: Any) -> tuple[ApiKey, str]:
        secret = secret_of(os.urandom(32))
        key = api_key(values.pop("name", "ci"), secret=StoredSecret.of(secret), **values)
        async with self.store.write() as tx:
            await tx.insert_api_key(key)
        return key, secret

    async def change(self, key: ApiKey) -> None:
        async with self.store.write() as tx:
            await tx.update_api_key(key)
        self.access.changed(AccessChange(AccessKind.API_KEY, key.key_id))

    async def shown(self, secret: str) -> Principal:
        return await self.auth.authenticate({"x-api-key": secret})


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.store.open()
    yield made
    await made.store.close()


async def test_a_key_is_looked_up_once_and_then_remembered_for_a_while(world: World) -> None:
    key, secret = await world.add()
    first = await world.shown(secret)
    assert first.permissions == ROLES["developer"]
    assert [str(grant.scope) for grant in first.grants] == ["orders.*"]
    assert (first.credential, first.label) == (f"key {key.key_id}", "key:ci")
    for _ in range(5):
        assert world.auth.known({"x-api-key": secret}) is first
    assert world.store.reads == 1
    world.seconds = 60.0
    assert world.auth.known({"x-api-key": secret}) is None
    await world.shown(secret)
    assert world.store.reads == 2


async def test_calls_at_the_same_moment_share_a_look_up(world: World) -> None:
    _, secret = await world.add()
    found = await asyncio.gather(*(world.shown(secret) for _ in range(50)))
    assert {principal.name for principal in found} == {"ci"}
    assert world.store.reads == 1


async def test_a_key_that_is_disabled_while_it_is_looked_up_is_refused(world: World) -> None:
    """What the look-up has read is older than the change, of which this server has been told."""
    key, secret = await world.add()

    async def disable() -> None:
        world.store.meanwhile = None
        await world.change(replace(key, enabled=False))

    world.store.meanwhile = disable
    with pytest.raises(Unauthenticated, match="disabled"):
        await world.shown(secret)
    assert world.auth.known({"x-api-key": secret}) is None


@pytest.mark.slow
async def test_a_key_that_changes_all_the_time_is_told_to_come_again(world: World) -> None:
    key, secret = await world.add()

    async def change() -> None:
        await world.change(key)

    world.store.meanwhile = change
    with pytest.raises(Unavailable, match="being changed"):
        await world.shown(secret)


async def test_some_changes_in_a_row_are_waited_for(world: World) -> None:
    """Each comes twice: from the server that makes it, and by the log."""
    key, secret = await world.add()
    left = [5]

    async def change() -> None:
        if left[0]:
            left[0] -= 1
            await world.change(key)

    world.store.meanwhile = change
    assert (await world.shown(secret)).name == "ci"


async def test_others_that_change_all_the_time_do_not_matter(world: World) -> None:
    _, secret = await world.add()
    other, _ = await world.add(name="other")

    async def change() -> None:
        await world.change(other)

    world.store.meanwhile = change
    await world.shown(secret)
    assert world.auth.known({"x-api-key": secret}) is not None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"enabled": False}, "disabled"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW - timedelta(seconds=1)}, "expired"),
    ],
)
async def test_who_has_the_secret_learns_why_it_does_not_count(
    world: World, changes: dict[str, Any], why: str
) -> None:
    _, secret = await world.add(**changes)
    with pytest.raises(Unauthenticated, match=why):
        await world.shown(secret)
    with pytest.raises(Unauthenticated, match="not known"):
        await world.shown(secret[:-1] + ("A" if secret[-1] != "A" else "E"))


async def test_a_remembered_key_does_not_outlive_its_end(world: World) -> None:
    key, secret = await world.add(expires_at=NOW + timedelta(seconds=5))
    assert (await world.shown(secret)).expires == (NOW + timedelta(seconds=5)).timestamp()
    world.now += timedelta(seconds=5)
    assert world.auth.known({"x-api-key": secret}) is None
    old = StoredSecret.of("llmsr_" + "B" * 43)
    await world.change(replace(key, expires_at=None, previous=replace(old, valid_until=world.now)))
    with pytest.raises(Unauthenticated, match="rotated"):
        await world.shown("llmsr_" + "B" * 43)


async def test_secrets_are_compared_in_constant_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many comparisons for a prefix that exists, whatever follows it; some for one that does not."""
    _, secret = await world.add(previous=StoredSecret.of(secret_of(os.urandom(32))))
    compared: list[tuple[str, str]] = []
    in_constant_time = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return in_constant_time(one, other)

    monkeypatch.setattr("llm_schema_registry_server.auth.key_ring.hmac.compare_digest", compare, raising=True)
    counts = {}
    for name, shown in {
        "good": secret,
        "wrong end": secret[:14] + "A" * 35,
        "wrong beginning": "llmsr_" + "A" * 43,
    }.items():
        compared.clear()
        with suppress(Unauthenticated):
            await world.shown(shown)
        counts[name] = len(compared)
        assert all(len(one) == len(other) == 64 for one, other in compared)
    assert counts == {"good": 3, "wrong end": 3, "wrong beginning": 1}


async def test_the_ways_to_write_one_secret_fill_no_memory(world: World) -> None:
    _, secret = await world.add()
    for number in range(200):
        await world.auth.authenticate({"authorization": "Bearer" + " " * number + " " + secret})
    assert len(world.auth._verified) <= 1


async def test_basic_takes_a_key_as_the_password(world: World) -> None:
    key, secret = await world.add()

    async def basic(user: str, password: str) -> Principal:
        return await world.auth.authenticate(
            {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}
        )

    for user in ("key", "", "ci", key.key_id):
        assert (await basic(user, secret)).name == "ci"
    for user, password in (("other", secret), ("ci", secret[:-1]), ("ci", "password"), ("CI", secret)):
        with pytest.raises(Unauthenticated):
            await basic(user, password)
    reads = world.store.reads
    await basic("key", secret)
    assert world.store.reads == reads
    assert not any(secret in text or "Basic" in text for text in world.auth._verified)
