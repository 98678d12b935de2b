"""What a server remembers of credentials ends with the change that ends it, and what it cannot understand ends everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from llm_schema_registry_server.auth import key_ring, passwords, tokens
from llm_schema_registry_server.auth import revoked as revoked_module
from llm_schema_registry_server.auth.access import Access
from llm_schema_registry_server.auth.revoked import RevokedTokens
from llm_schema_registry_server.model.access import AccessChange, AccessKind
from llm_schema_registry_server.model.api_key import RevokedToken
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.store import Store

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY, OTHER_KEY = key_ring.credential_of("k-1"), key_ring.credential_of("k-2")
TOKEN, USER = tokens.credential_of("j-1"), passwords.credential_of("ada")
ALL = {KEY, OTHER_KEY, TOKEN, USER}


@pytest_asyncio.fixture
async def store() -> AsyncIterator[MemoryStore]:
    made = MemoryStore()
    await made.open()
    yield made
    await made.close()


class World:
    """What is read anew is in `told`; `ended` are the credentials that were verified and do not count any more."""

    def __init__(self, store: Store) -> None:
        self.told: list[str] = []
        self.access = Access(store, lambda: self.told.append("reload"), lambda: self.told.append("granted"))
        self._standings = {credential: self.access.standings.of(credential) for credential in ALL}

    @property
    def ended(self) -> set[str]:
        return {credential for credential, standing in self._standings.items() if not standing.counts}


@pytest.fixture
def world(store: MemoryStore) -> World:
    return World(store)


@pytest.mark.parametrize(
    ("change", "ended", "told"),
    [
        (AccessChange(AccessKind.API_KEY, "k-1"), {KEY}, []),
        (AccessChange(AccessKind.TOKEN, "j-1", LATER), {TOKEN}, []),
        (AccessChange(AccessKind.GRANTS, "user:ada"), set(), ["granted"]),
        (AccessChange(AccessKind.POLICIES, "7"), set(), ["granted"]),
        (AccessChange(AccessKind.TOKEN, "j-1"), ALL, ["reload", "granted"]),
    ],
    ids=["key", "token", "grants", "policies", "a token that ends nobody knows when"],
)
def test_a_change_ends_what_it_is_about_here_and_as_it_stands_in_the_log(
    store: MemoryStore, change: AccessChange, ended: set[str], told: list[str]
) -> None:
    here, read = World(store), World(store)
    here.access.changed(change)
    read.access.logged(change.metadata)
    for world in (here, read):
        assert world.ended == ended
        assert world.told == told


@pytest.mark.parametrize(
    "metadata", [{}, {"access": "tea"}, {"access": "token", "item": "x", "until": "soon"}]
)
def test_what_a_newer_server_has_written_may_have_changed_anything(
    world: World, metadata: dict[str, str]
) -> None:
    world.access.logged(metadata)
    assert world.ended == ALL
    assert world.told == ["reload", "granted"]


def test_a_user_with_another_password_is_verified_anew_and_nobody_else(world: World) -> None:
    world.access.user_changed("ada")
    assert world.ended == {USER}


def test_a_revoked_token_is_known_without_reading(world: World) -> None:
    assert "j-1" not in world.access.revoked
    world.access.changed(AccessChange(AccessKind.TOKEN, "j-1", LATER))
    assert "j-1" in world.access.revoked
    assert len(world.access.revoked) == 1


async def keep(store: Store, *numbers: int, until: datetime = LATER) -> None:
    async with store.write() as tx:
        for number in numbers:
            await tx.put_revoked_token(RevokedToken(f"j-{number:04}", until, NOW, "root"))


def revoked(store: Store) -> RevokedTokens:
    return RevokedTokens(store, clock=NOW.timestamp)


async def test_all_are_read_however_many_and_those_that_have_ended_are_forgotten(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revoked_module, "_BATCH", 10)
    await keep(store, *range(25))
    await keep(store, 100, 101, until=NOW)
    found = revoked(store)
    await found.load()
    assert len(found) == 25
    assert "j-0024" in found
    assert "j-0100" not in found
    found.add("j-9999", LATER)
    await found.load()
    assert "j-9999" not in found, "the storage does not know it"


async def test_what_is_revoked_while_they_are_read_stays(store: MemoryStore) -> None:
    await keep(store, 1)
    found = revoked(store)

    class Meanwhile(MemoryStore):
        def read(self):  # type: ignore[no-untyped-def]
            found.add("j-0002", LATER)
            return store.read()

    found._store = Meanwhile()
    await found.load()
    assert {token for token in ("j-0001", "j-0002") if token in found} == {"j-0001", "j-0002"}
