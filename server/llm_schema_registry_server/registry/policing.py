"""GetPolicies and SetPolicies: the access policies, in the storage and in the memory of this server."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import ConcurrentUpdate, InvalidRequest, StorageDamaged
from ..model.access import AccessChange, AccessKind
from ..model.change import format_revision
from ..model.policy import PolicySet
from ..model.policy_tree import Tree, policies_of
from ..model.principal import Actor
from ..model.stored_policies import StoredPolicies
from ..model.timestamps import Clock
from ..storage.store import Store
from .access_changes import record_access
from .fairness import Turns

MOST_BYTES = 256 * 1024
"""Of the policies as JSON."""
KEPT = 20
"""Versions that are kept."""

TakePolicies = Callable[[PolicySet, int], Iterable[Callable[[], None]]]
"""Takes policies with their version instead of those before; what it answers with is to be called by and by."""


@dataclass(frozen=True, slots=True)
class PoliciesSet:
    """After a write, or a dry run: the version, and the revision of the write, "" in a dry run."""

    version: int
    revision: str = ""


class Policies:
    """The access policies of a registry. They are read in a thread: many of them take tens of milliseconds."""

    def __init__(self, store: Store, take: TakePolicies, clock: Clock) -> None:
        self._store, self._take, self._clock = store, take, clock
        self._loading = asyncio.Lock()
        self._version = 0

    async def load(self) -> None:
        """Read the newest policies; from then on they are in force here. Raises StorageDamaged for some that cannot be used: then
        those before stay in force."""
        async with self._loading:
            async with self._store.read() as tx:
                stored = await tx.policies()
            if stored is None or stored.version == self._version:
                return
            try:
                policies = await asyncio.to_thread(_read, stored.document)
            except (ValueError, InvalidRequest) as error:
                raise StorageDamaged(
                    f"version {stored.version} of the access policies cannot be used ({error}); set others, or turn them off with "
                    "the setting auth.policies",
                    table="policies",
                    key=str(stored.version),
                ) from error
            turns = Turns()
            for tell in self._take(policies, stored.version):
                tell()
                await turns.pause_if_due()
            self._version = stored.version

    async def get(self, version: int = 0) -> StoredPolicies | None:
        """The policies of a version, 0 for the newest; None when there are none."""
        async with self._store.read() as tx:
            return await tx.policies(version or None)

    async def set(
        self,
        tree: Tree,
        expected_version: int,
        by: Actor,
        *,
        keeps: Callable[[PolicySet], bool],
        dry_run: bool = False,
    ) -> PoliciesSet:
        """Instead of all before. keeps: whether the caller could set others under them. Raises InvalidRequest for some that cannot
        be used, or that lock the caller out, and ConcurrentUpdate when another version than the expected one is the newest."""
        document = await asyncio.to_thread(_written, tree)
        if not keeps(await asyncio.to_thread(policies_of, tree)):
            raise InvalidRequest(
                "policies", "would not allow you to set others; add one that allows it, or give allow_lockout"
            )
        async with self._store.write() as tx:
            newest = await tx.policies()
            version = newest.version if newest is not None else 0
            if version != expected_version:
                raise ConcurrentUpdate(
                    f"the newest version of the policies is {version}, not {expected_version}; read them again",
                    version=version,
                )
            if dry_run:
                return PoliciesSet(version + 1)
            now = self._clock()
            await tx.add_policies(StoredPolicies(version + 1, document, by.name, now))
            await tx.forget_policies(version + 1 - KEPT)
            change = AccessChange(AccessKind.POLICIES, str(version + 1))
            digest = {"sha256": hashlib.sha256(document.encode()).hexdigest()}
            sequence = await record_access(tx, change, by, now, digest)
        await self.load()
        return PoliciesSet(version + 1, format_revision(self._store.registry_id, sequence))


def _read(document: str) -> PolicySet:
    return policies_of(json.loads(document))


def _written(tree: Tree) -> str:
    """As it is stored. Raises InvalidRequest for too much."""
    document = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if len(document.encode()) > MOST_BYTES:
        raise InvalidRequest("policies", f"have more than {MOST_BYTES} bytes as JSON")
    return document
