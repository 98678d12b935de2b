"""Wrappers have every member of their protocols: their own, or that of what they wrap."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from llm_schema_registry_server.storage.blobs.inline import InlineBlobs
from llm_schema_registry_server.storage.encryption.envelope import Envelope
from llm_schema_registry_server.storage.encryption.keys import LocalKeys
from llm_schema_registry_server.storage.portable import DumpTx, PortableStore, RestoreTx
from llm_schema_registry_server.storage.protocols.access import AccessRead, AccessWrite
from llm_schema_registry_server.storage.protocols.accounting import AccountingRead, AccountingWrite
from llm_schema_registry_server.storage.protocols.audit import AuditRead, AuditWrite
from llm_schema_registry_server.storage.protocols.contents import ContentsRead, ContentsWrite
from llm_schema_registry_server.storage.protocols.credentials import CredentialsRead, CredentialsWrite
from llm_schema_registry_server.storage.protocols.log import LogRead, LogWrite
from llm_schema_registry_server.storage.protocols.outcomes import OutcomesRead, OutcomesWrite
from llm_schema_registry_server.storage.protocols.profiles import ProfilesRead, ProfilesWrite
from llm_schema_registry_server.storage.protocols.search import SearchRead
from llm_schema_registry_server.storage.protocols.versions import VersionsRead, VersionsWrite
from llm_schema_registry_server.storage.store import ReadTx, Store, WriteTx
from llm_schema_registry_server.storage.wrappers.blobbed import (
    BlobMemory,
    blobbed_read_tx,
    blobbed_store,
    blobbed_write_tx,
)
from llm_schema_registry_server.storage.wrappers.encrypted import (
    encrypted_dump_tx,
    encrypted_read_tx,
    encrypted_restore_tx,
    encrypted_store,
    encrypted_write_tx,
    portable_encrypted_store,
)
from llm_schema_registry_server.storage.wrappers.forwarding import forwarding, missing_members
from llm_schema_registry_server.storage.wrappers.portable import (
    blobbed_dump_tx,
    blobbed_restore_tx,
    portable_blobbed_store,
)

MOST_METHODS = 20
ENVELOPE = Envelope(LocalKeys({"key": bytes(32)}))
MEMORY = BlobMemory(InlineBlobs(), threshold=None, memory_bytes=0)


class Everything:
    """Has any member: its name."""

    def __getattr__(self, name: str) -> str:
        return f"the inner {name}"


def members(protocol: type) -> set[str]:
    """The public members of a protocol and of those that it is made of."""
    return {
        name
        for base in protocol.__mro__
        if vars(base).get("_is_protocol")
        for name in vars(base)
        if not name.startswith("_")
    }


INNER: Any = Everything()
WRAPPERS: list[tuple[type, object]] = [
    (ReadTx, blobbed_read_tx(INNER, MEMORY)),
    (WriteTx, blobbed_write_tx(INNER, MEMORY, "name")),
    (DumpTx, blobbed_dump_tx(INNER, MEMORY)),
    (RestoreTx, blobbed_restore_tx(INNER, MEMORY, "name")),
    (ReadTx, encrypted_read_tx(INNER, ENVELOPE)),
    (WriteTx, encrypted_write_tx(INNER, ENVELOPE)),
    (DumpTx, encrypted_dump_tx(INNER, ENVELOPE)),
    (RestoreTx, encrypted_restore_tx(INNER, ENVELOPE)),
    (Store, encrypted_store(INNER, ENVELOPE)),
    (PortableStore, portable_encrypted_store(INNER, INNER, ENVELOPE)),
    (Store, blobbed_store(INNER, InlineBlobs(), threshold=None, memory_bytes=0)),
    (PortableStore, portable_blobbed_store(INNER, InlineBlobs(), threshold=None, memory_bytes=0)),
]


@pytest.mark.parametrize(("protocol", "wrapper"), WRAPPERS, ids=[p.__name__ for p, _ in WRAPPERS])
def test_nothing_is_missing_and_nothing_is_the_protocols_own(protocol: type, wrapper: object) -> None:
    assert len(members(protocol)) > 10
    assert not missing_members(type(wrapper))
    for name in members(protocol):
        member = getattr(wrapper, name)
        if member != f"the inner {name}":  # defined by the wrapper
            assert "wrappers" in inspect.getmodule(member).__name__, name  # type: ignore[union-attr]


@pytest.mark.parametrize(("protocol", "wrapper"), WRAPPERS, ids=[p.__name__ for p, _ in WRAPPERS])
def test_overrides_take_what_the_protocol_says(protocol: type, wrapper: object) -> None:
    for name in members(protocol):
        member = getattr(wrapper, name)
        if callable(member):
            asked = inspect.signature(getattr(protocol, name)).parameters
            assert list(inspect.signature(member).parameters) == list(asked)[1:], name


class Speaker(Protocol):
    @property
    def name(self) -> str: ...

    async def say(self, word: str, *, times: int = 1) -> str: ...

    async def whisper(self, word: str) -> str: ...


class Human:
    name = "ada"

    async def say(self, word: str, *, times: int = 1) -> str:
        return word * times

    async def whisper(self, word: str) -> str:
        return f"({word})"


class Loud(Speaker):
    def __init__(self, inner: Speaker) -> None:
        self._inner = inner

    async def say(self, word: str, *, times: int = 1) -> str:
        return await self._inner.say(word.upper(), times=times)


async def test_a_wrapper_changes_what_it_defines_and_hands_on_the_rest() -> None:
    assert missing_members(Loud) == {"name", "whisper"}
    loud: Callable[[Speaker], Speaker] = forwarding(Loud)

    speaker = loud(loud(Human()))

    assert speaker.name == "ada"
    assert await speaker.say("ho", times=2) == "HOHO"
    assert await speaker.whisper("hush") == "(hush)"


@pytest.mark.parametrize(
    "concern",
    [
        VersionsRead,
        VersionsWrite,
        ContentsRead,
        ContentsWrite,
        LogRead,
        LogWrite,
        SearchRead,
        AccountingRead,
        AccountingWrite,
        CredentialsRead,
        CredentialsWrite,
        AccessRead,
        AccessWrite,
        OutcomesRead,
        OutcomesWrite,
        Store,
    ],
)
def test_a_concern_is_small_enough_to_be_implemented_in_one_go(concern: type) -> None:
    assert 0 < len(members(concern)) <= MOST_METHODS


def test_a_transaction_is_made_of_its_concerns_and_nothing_else() -> None:
    reads = (
        VersionsRead,
        ContentsRead,
        LogRead,
        SearchRead,
        AccountingRead,
        CredentialsRead,
        AccessRead,
        AuditRead,
        ProfilesRead,
        OutcomesRead,
    )
    writes = (
        VersionsWrite,
        ContentsWrite,
        LogWrite,
        AccountingWrite,
        CredentialsWrite,
        AccessWrite,
        AuditWrite,
        ProfilesWrite,
        OutcomesWrite,
    )
    assert members(ReadTx) == set().union(*map(members, reads))
    assert members(WriteTx) == members(ReadTx).union(*map(members, writes))
