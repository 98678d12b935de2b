"""Work that only one server of a store does at a time: whoever holds the lease of that work."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from ..errors import RegistryError
from ..storage.leases import Lease, LeaseLost
from ..storage.store import Store, WriteTx

_RENEWALS = 3
"""How often a lease is renewed in the time for which it is held."""


class LeaseKeeper:
    """Holds the lease `name` for this server while it works, and between its runs as long as it has not expired.

    seconds: how long after its last renewal others wait before they take over the work of a server that died.
    """

    def __init__(
        self, store: Store, name: str, seconds: float, *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._name, self._seconds, self._timer = store, name, seconds, timer
        self._holder = f"server-{secrets.token_hex(4)}"
        self._lease: Lease | None = None
        self._expires = 0.0

    @property
    def held(self) -> bool:
        """Whether this server had the lease when it looked last."""
        return self._lease is not None

    async def confirm(self, tx: WriteTx) -> None:
        """To be awaited in each transaction that writes: raises LeaseLost when another server may be at the same work."""
        lease = self._lease
        if lease is None:
            raise RuntimeError(f"confirm the lease {self._name!r} only inside `run`")
        await tx.confirm_lease(lease)

    async def run(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do the work if nobody else holds the lease; False: somebody does. The lease is renewed meanwhile; the work is
        cancelled, and an error raised, when it is lost or could not be renewed before it expired."""
        if not await self._hold():
            return False
        running = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait([running], timeout=self._seconds / _RENEWALS))[0]:
                await self._renew_in_time()
        except BaseException:
            running.cancel()
            await asyncio.wait([running])
            raise
        running.result()
        return True

    async def release(self) -> None:
        """Let another server take over at once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            async with self._store.write() as tx:
                await tx.release_lease(lease)

    async def _hold(self) -> bool:
        try:
            if await self._renewed():
                return True
        except LeaseLost:
            pass  # somebody had it since; perhaps it is free now
        begun = self._timer()
        async with self._store.write() as tx:
            lease = await tx.acquire_lease(self._name, self._holder, self._seconds)
        self._lease, self._expires = lease, begun + self._seconds
        return lease is not None

    async def _renewed(self) -> bool:
        """Whether there was a lease to renew."""
        if self._lease is None:
            return False
        begun = self._timer()
        try:
            async with self._store.write() as tx:
                lease = await tx.renew_lease(self._lease, self._seconds)
        except LeaseLost:
            self._lease = None
            raise
        self._lease, self._expires = lease, begun + self._seconds
        return True

    async def _renew_in_time(self) -> None:
        try:
            await self._renewed()
        except LeaseLost:
            raise
        except RegistryError:
            if self._timer() >= self._expires:
                raise
