"""Contents that are stored encrypted: on every back end, with every provider of keys, in the object store too; altered, swapped, rotated."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from llm_schema_registry_server.errors import StorageDamaged, StorageUnavailable
from llm_schema_registry_server.model.schema import StoredContent
from llm_schema_registry_server.settings import VaultSettings
from llm_schema_registry_server.storage.appending import append_version
from llm_schema_registry_server.storage.blobs.blobs import Blobs
from llm_schema_registry_server.storage.blobs.inline import InlineBlobs
from llm_schema_registry_server.storage.encryption.envelope import MARK, Envelope, is_sealed
from llm_schema_registry_server.storage.encryption.keys import KeyProvider, LocalKeys, Wrapped, read_keys
from llm_schema_registry_server.storage.encryption.rotation import decrypt, rotate
from llm_schema_registry_server.storage.encryption.vault import VaultTransit
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import NewVersion, Precondition
from llm_schema_registry_server.storage.wrappers.blobbed import BlobbedStore, blobbed_store
from llm_schema_registry_server.storage.wrappers.encrypted import EncryptedStore, encrypted_store
from tests.support.blobs import MemoryBlobs
from tests.support.storage import change, content, version
from tests.support.vault import Vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
TEXT = '{"title": "a secret of the house"}'


def whole(text: str = TEXT) -> StoredContent:
    return content(text, artifact=b"\x00compiled " + text.encode())


@pytest_asyncio.fixture
async def vault() -> AsyncIterator[Vault]:
    made = Vault()
    await made.start()
    yield made
    await made.stop()


def at(vault: Vault, **values: object) -> VaultTransit:
    given = {"address": vault.address, "key": "registry", "token": SecretStr(vault.token), **values}
    return VaultTransit(VaultSettings.model_validate(given))


class Worlds:
    """A raw store, plain or with an object store, and encrypting stores over it."""

    def __init__(self, store: Store, blobs: Blobs, threshold: int | None) -> None:
        self.raw = store
        self.blobbed: BlobbedStore = blobbed_store(store, blobs, threshold=threshold, memory_bytes=0)

    def over(self, keys: KeyProvider, *, plaintext: bool = True) -> EncryptedStore:
        return encrypted_store(self.blobbed, Envelope(keys, plaintext=plaintext))


@pytest.fixture(params=["in rows", "in an object store"])
def world(request: pytest.FixtureRequest, store: Store) -> Worlds:
    inline = request.param == "in rows"
    return Worlds(store, InlineBlobs() if inline else MemoryBlobs(), None if inline else 20)


async def put(store: Store, number: int, text: str = TEXT) -> str:
    """A version of a subject of its own, as a registration appends it; answers with its identity."""
    made = version(f"s{number}", 1, global_id=number)
    grounds = Precondition((0, 0), 1, {})
    stored = await store.append(
        grounds,
        NewVersion(
            made, whole(text), ("a_name",), change(subject=made.subject, schema_id=made.schema_id), ()
        ),
    )
    assert stored is not None
    return made.identity


async def test_what_is_read_is_what_was_put_and_the_rows_do_not_show_it(world: Worlds) -> None:
    store = world.over(LocalKeys({"k1": OLD}))
    await store.stage(whole())
    identity = await put(store, 1)

    assert await store.contents([identity]) == {identity: whole()}
    async with store.read() as tx:
        assert await tx.contents([identity]) == {identity: whole()}
    async with store.write() as tx:
        await tx.put_content("another", whole("2"))
        assert (await tx.contents(["another"]))["another"] == whole("2")
    (raw,) = (await world.blobbed.contents([identity])).values()
    rows = (await world.raw.contents([identity]))[identity]
    for stored in (raw, rows):
        for part in (stored.content, stored.canonical, stored.artifact):
            assert part
            assert b"secret" not in part
            assert b"compiled" not in part
    assert is_sealed(raw)
    assert raw.content.startswith(MARK)


async def test_reads_of_versions_bring_the_content_decrypted(world: Worlds) -> None:
    store = world.over(LocalKeys({"k1": OLD}))
    made = version("s", 1)
    async with store.write() as tx:
        await tx.lock_subject(made.subject)
        await append_version(tx, NewVersion(made, whole(), (), change(subject=made.subject), ()))
    found = await store.version(made.schema_id)
    assert found is not None
    assert found.content in (None, whole())
    if not isinstance(world.blobbed._blobs, MemoryBlobs):  # type: ignore[attr-defined]  # which tier has it
        assert found.content == whole()


async def test_two_contents_of_the_same_bytes_have_different_ciphertexts() -> None:
    envelope, again = (Envelope(LocalKeys({"k1": OLD})) for _ in range(2))
    first, second = await envelope.seal(whole()), await again.seal(whole())
    assert await envelope.seal(whole()) is first, "what is staged is put"
    assert first != second
    assert await again.open(first) == await envelope.open(second) == whole()


@pytest.mark.parametrize("part", ["content", "canonical", "artifact"])
async def test_a_byte_that_was_altered_is_noticed_wherever_it_is(part: str) -> None:
    envelope = Envelope(LocalKeys({"k1": OLD}))
    sealed = await envelope.seal(whole())
    fresh = Envelope(LocalKeys({"k1": OLD}))
    data: bytes = getattr(sealed, part)
    start = len(MARK) if part == "content" else 0
    for place in range(start, len(data)):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(StorageDamaged):
            await fresh.open(replace(sealed, **{part: altered}))
    for cut in (len(data) - 1, len(data) // 2, len(MARK) + 3):
        with pytest.raises(StorageDamaged):
            await fresh.open(replace(sealed, **{part: data[:cut]}))


async def test_no_part_stands_in_for_another() -> None:
    envelope = Envelope(LocalKeys({"k1": OLD}))
    one, two = await envelope.seal(whole("1")), await envelope.seal(whole("2"))
    for swapped in (
        replace(one, artifact=two.artifact),
        replace(one, canonical=two.canonical),
        replace(one, content=one.canonical, canonical=one.content),
        replace(one, artifact=one.canonical),
    ):
        with pytest.raises(StorageDamaged):
            await envelope.open(swapped)


async def test_what_is_not_encrypted_is_read_until_it_is_refused(world: Worlds) -> None:
    identity = await put(world.blobbed, 1)
    lenient, strict = (world.over(LocalKeys({"k1": OLD}), plaintext=p) for p in (True, False))
    assert await lenient.contents([identity]) == {identity: whole()}
    with pytest.raises(StorageDamaged, match="rotate-keys"):
        await strict.contents([identity])
    done = await rotate(world.blobbed, Envelope(LocalKeys({"k1": OLD})))
    assert (done.contents, done.sealed, done.rewrapped) == (1, 1, 0)
    assert await strict.contents([identity]) == {identity: whole()}


async def test_rotation_wraps_anew_what_is_there_and_leaves_ciphertexts_alone(world: Worlds) -> None:
    before = world.over(LocalKeys({"old": OLD}))
    identities = [await put(before, n, f"{TEXT}{n}") for n in range(7)]
    raw = await world.blobbed.contents(identities)
    both = LocalKeys({"new": NEW, "old": OLD})
    told: list[int] = []
    done = await rotate(world.blobbed, Envelope(both), lambda each: told.append(each.contents))

    assert (done.contents, done.rewrapped, done.sealed) == (7, 7, 0)
    assert told[-1] == 7
    after = world.over(LocalKeys({"new": NEW}), plaintext=False)
    assert await after.contents(identities) == {i: whole(f"{TEXT}{n}") for n, i in enumerate(identities)}
    for identity, content_after in (await world.blobbed.contents(identities)).items():
        assert content_after.content[-40:] == raw[identity].content[-40:]
    again = await rotate(world.blobbed, Envelope(both))
    assert (again.contents, again.rewrapped) == (7, 0)
    with pytest.raises(StorageDamaged, match="not among"):
        await world.over(LocalKeys({"old": OLD})).contents(identities)


async def test_rotation_goes_on_where_it_was_interrupted_and_beside_writers(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_schema_registry_server.storage.encryption.rotation.PAGE", 3)
    before = world.over(LocalKeys({"old": OLD}))
    identities = [await put(before, n, f"{TEXT}{n}") for n in range(10)]
    both = LocalKeys({"new": NEW, "old": OLD})

    class Stopped(Exception):
        pass

    def stop(done: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await rotate(world.blobbed, Envelope(both), stop)
    writing = world.over(both)

    async def write() -> None:
        identities.extend([await put(writing, n, f"{TEXT}{n}") for n in range(10, 20)])

    done, _ = await asyncio.gather(rotate(world.blobbed, Envelope(both)), write())
    assert done.rewrapped == 7
    after = world.over(LocalKeys({"new": NEW}))
    assert await after.contents(identities) == {i: whole(f"{TEXT}{n}") for n, i in enumerate(identities)}


async def test_encryption_is_taken_off_again(world: Worlds) -> None:
    keys = LocalKeys({"k1": OLD})
    identity = await put(world.over(keys), 1)
    done = await decrypt(world.blobbed, Envelope(keys))
    assert done.opened == 1
    assert await world.blobbed.contents([identity]) == {identity: whole()}


async def test_identities_are_listed_in_order_and_a_content_that_is_gone_is_not_put_again(
    store: Store,
) -> None:
    identities = sorted([await put(store, n, f"{n}") for n in range(7)])
    async with store.read() as tx:
        assert await tx.content_identities("", 3) == identities[:3]
        assert await tx.content_identities(identities[2], 10) == identities[3:]
        assert await tx.content_identities("~", 10) == []
    async with store.write() as tx:
        await tx.replace_content("unknown", whole())
        await tx.replace_content(identities[0], whole("other"))
        assert await tx.contents(["unknown"]) == {}
    assert await store.contents(identities[:1]) == {identities[0]: whole("other")}


# -- Vault


async def test_vault_wraps_and_the_registry_never_sees_its_key(world: Worlds, vault: Vault) -> None:
    keys = at(vault)
    await keys.open()
    store = world.over(keys)
    identity = await put(store, 1)
    asked = len(vault.asked)
    for _ in range(3):
        assert await store.contents([identity]) == {identity: whole()}
    assert len(vault.asked) == asked, "a data key that is known is not asked for"
    cold = world.over(keys)
    assert await cold.contents([identity]) == {identity: whole()}
    assert len(vault.asked) == asked + 1
    assert set(vault.asked) <= {"/v1/transit/encrypt/registry", "/v1/transit/decrypt/registry"}
    await keys.close()


async def test_a_newer_version_of_vaults_key_is_rotated_to(world: Worlds, vault: Vault) -> None:
    keys = at(vault)
    await keys.open()
    identity = await put(world.over(keys), 1)
    vault.rotate()
    assert await keys.newest() == "registry:v2"
    done = await rotate(world.blobbed, Envelope(keys))
    assert done.rewrapped == 1
    vault.oldest = 2
    assert await world.over(keys).contents([identity]) == {identity: whole()}
    await keys.close()


async def test_without_vault_nothing_is_stored_and_nothing_is_read(world: Worlds, vault: Vault) -> None:
    keys = at(vault)
    await keys.open()
    identity = await put(world.over(keys), 1)
    vault.sealed = True
    cold = world.over(keys)
    with pytest.raises(StorageUnavailable, match="status 503"):
        await put(cold, 2)
    with pytest.raises(StorageUnavailable):
        await cold.contents([identity])
    vault.sealed = False
    assert await cold.contents([identity]) == {identity: whole()}
    await vault.stop()
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        await keys.wrap(OLD)
    await keys.close()


async def test_a_token_that_was_renewed_is_read_again(vault: Vault, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{vault.token}\n")
    keys = at(vault, token=None, token_file=file)
    await keys.open()
    vault.token = "s.renewed"
    with pytest.raises(StorageUnavailable, match="status 403"):
        await keys.wrap(OLD)
    file.write_text("s.renewed")
    assert await keys.unwrap(await keys.wrap(OLD)) == OLD
    await keys.close()


@pytest.mark.parametrize(
    "data", [b"", b"vault:v1:", b"vault:v1:AAAA", b"vault:v9:AAAA", b"\xff", b"vault:v1:../../x"]
)
async def test_what_vault_did_not_wrap_is_damage(vault: Vault, data: bytes) -> None:
    keys = at(vault)
    await keys.open()
    with pytest.raises(StorageDamaged):
        await keys.unwrap(Wrapped("registry:v1", data))
    await keys.close()


# -- keys of the settings


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_keys_are_read_newest_first() -> None:
    assert read_keys(f"# ours\nb:{encoded(NEW)}\n\n a:{encoded(OLD)} \n") == {"b": NEW, "a": OLD}
    assert list(read_keys(f"b:{encoded(NEW)},a:{encoded(OLD)}")) == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no encryption key"),
        ("# nothing", "no encryption key"),
        (encoded(OLD), "not written as id:base64"),
        (f"a b:{encoded(OLD)}", "not written as id:base64"),
        (f"a:{encoded(OLD[:31])}", "not the base64 of 32 bytes"),
        ("a:%%%", "not the base64 of 32 bytes"),
        (f"a:{encoded(OLD)},a:{encoded(NEW)}", "two encryption keys"),
    ],
)
def test_keys_that_are_none_are_refused_and_not_quoted(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        read_keys(text)
    assert encoded(OLD)[:20] not in str(refused.value)


async def test_a_wrapped_key_holds_for_its_key_alone() -> None:
    both, other = LocalKeys({"a": OLD, "b": NEW}), LocalKeys({"a": NEW})
    wrapped = await both.wrap(b"x" * 32)
    assert await both.unwrap(wrapped) == b"x" * 32
    for wrong in (
        other.unwrap(wrapped),
        both.unwrap(replace(wrapped, key_id="b")),
        both.unwrap(replace(wrapped, data=b"")),
    ):
        with pytest.raises(StorageDamaged):
            await wrong
