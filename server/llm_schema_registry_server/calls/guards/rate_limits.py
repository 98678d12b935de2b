"""How much each caller may ask in a time, by class of what it asks.

Where servers share their counts, each has some tokens of the shared bucket at hand (a lease), and asks for more before it has
used them: no call waits for the others' count unless the caller is new to this server or at its limit.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol

from ...errors import RateLimited
from ...queues.rates import Bucket, Leased, Rate
from ..call import Call
from ..guard import QUICK, Guard, Rank
from ..operation import Operation
from .queueing import address_key

MOST_CALLERS = 20_000
"""So many callers are remembered in each class; of those who came first, the one is forgotten that has most left."""
_LOOKED_AT = 8
LONGEST_WAIT = 10.0
"""Seconds that a request in a stream of them waits for its token: its stream goes slower."""
LEASE_SECONDS = 2.0
"""How long tokens of a shared bucket may be used; later ones are asked for anew."""
LEASE_PART = 10
"""One part in so many of a bucket is leased at a time."""
AGAIN_SECONDS = 0.25
"""How long a server that could not reach the shared count goes by its own before it asks again."""


class Kind(StrEnum):
    """Classes of what callers ask: each has a limit of its own."""

    READ = "read"
    WRITE = "write"
    CHECK = "check"
    """What makes the server compile or compare: compatibility, validation."""
    ADMIN = "admin"
    STREAM = "stream"
    """Streams that are opened; the requests in a stream of them count in their own class."""
    ANONYMOUS = "anonymous"
    """Whatever callers ask that nobody knows, by address."""


CHECKS = frozenset({"compatibility:check", "schema:validate"})


def kind_of(operation: Operation) -> Kind:
    """The class of an operation."""
    return Kind.STREAM if operation.streams else kind_of_request(operation)


def kind_of_request(operation: Operation) -> Kind:
    """The class of one request of an operation, however many of them a call has."""
    if operation.permission.startswith("admin:"):
        return Kind.ADMIN
    if operation.mutates:
        return Kind.WRITE
    return Kind.CHECK if operation.permission in CHECKS else Kind.READ


class SharedBuckets(Protocol):
    """Buckets that all servers share."""

    async def lease(self, name: str, rate: Rate, wanted: int) -> Leased | None:
        """Takes up to `wanted` tokens from a bucket; None when it cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class RateRules:
    """`rates` by class; one that is missing is not limited. `factors`: some principals, by their labels, may ask so many times as
    much. `local_share`: the part of a limit that a server gives by itself while the shared count is away."""

    rates: Mapping[Kind, Rate]
    factors: Mapping[str, float] = field(default_factory=dict)
    local_share: float = 0.5


class _Account:
    """What one caller has left in one class."""

    __slots__ = (
        "bucket",
        "denied_until",
        "full_at",
        "kind",
        "leased",
        "left",
        "local_until",
        "name",
        "rate",
        "refill",
        "until",
    )

    def __init__(self, name: str, kind: Kind, rate: Rate) -> None:
        self.name, self.kind, self.rate = name, kind, rate
        self.bucket = Bucket()
        # Of a shared bucket:
        self.leased = self.left = 0
        """Tokens at hand, and what was left in the bucket when they were leased."""
        self.until = self.denied_until = self.local_until = self.full_at = 0.0
        self.refill: asyncio.Task[None] | None = None


class RateLimits:
    """Takes a token for each call, and refuses with RateLimited when there is none. Answers say how many are left.

    shared: where servers count together.
    """

    rank, on_cached = Rank.QUOTA, QUICK

    def __init__(
        self,
        rules: RateRules,
        shared: SharedBuckets | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules, self._shared, self._clock = rules, shared, clock
        self._kinds: dict[str, Kind] = {}
        self._accounts: dict[Kind, OrderedDict[str, _Account]] = {kind: OrderedDict() for kind in Kind}
        self._refused: OrderedDict[str, _Account] = (
            OrderedDict()
        )  # by address: bad credentials, each server by itself

    def __call__(self, call: Call) -> Guard:
        return _Counted(call, self)

    def __len__(self) -> int:
        return sum(map(len, self._accounts.values()))

    def quick(self, call: Call) -> bool:
        """Takes a token when one is at hand; False when the shared count must be asked. Raises RateLimited."""
        if call.counted:  # when it tried the short way
            return True
        account = self._account(call, self._kind(call.operation))
        return account is None or self._take(account, call)

    def may_try(self, call: Call) -> None:
        """Before credentials are verified that this server has not seen: raises RateLimited when too many from that address were bad."""
        account = self._refused.get(address_key(call.peer.address))
        if account is not None:
            now = self._clock()
            if wait := account.bucket.wait(account.rate, now):
                self._refuse(account, call, wait, account.bucket.full_at - now)

    def refused(self, call: Call) -> None:
        """Counts a call with bad credentials as one without any. Raises RateLimited when there were too many."""
        rate = self._rules.rates.get(Kind.ANONYMOUS)
        if rate is None:
            return
        address = address_key(call.peer.address)
        account = self._refused.get(address)
        if account is None:
            account = self._refused[address] = _Account(address, Kind.ANONYMOUS, rate)
            if len(self._refused) > MOST_CALLERS:
                self._forget(self._refused)
        now = self._clock()
        if not account.bucket.take(rate, now):
            self._refuse(account, call, account.bucket.wait(rate, now), account.bucket.full_at - now)

    async def count(self, call: Call, kind: Kind) -> None:
        """Takes a token, waiting for the shared count if it must be asked. Raises RateLimited."""
        account = self._account(call, kind)
        while account is not None and not self._take(account, call):
            if account.refill is None:
                account.refill = asyncio.create_task(self._refill(account), name="lease of a rate limit")
            await asyncio.shield(account.refill)

    async def count_request(self, call: Call, kind: Kind) -> None:
        """Takes a token for one of many requests of a call, waiting until there is one. Raises RateLimited when that takes long."""
        end = self._clock() + LONGEST_WAIT
        while True:
            try:
                return await self.count(call, kind)
            except RateLimited as refused:
                wait = refused.retry_seconds or 0.0
                if self._clock() + wait > end:
                    raise
            await asyncio.sleep(wait)

    def _kind(self, operation: Operation) -> Kind:
        kind = self._kinds.get(operation.id)
        if kind is None:
            kind = self._kinds[operation.id] = kind_of(operation)
        return kind

    def _account(self, call: Call, kind: Kind) -> _Account | None:
        """None where nothing is limited."""
        principal = call.principal
        if principal.anonymous:
            kind, name = Kind.ANONYMOUS, address_key(call.peer.address)
        else:
            name = principal.label
        accounts = self._accounts[kind]
        account = accounts.get(name)
        if account is not None:
            return account
        rate = self._rules.rates.get(kind)
        if rate is None:
            return None
        factor = 1.0 if principal.anonymous else self._rules.factors.get(name, 1.0)
        account = accounts[name] = _Account(name, kind, rate if factor == 1.0 else rate.times(factor))
        if len(accounts) > MOST_CALLERS:
            self._forget(accounts)
        return account

    def _forget(self, accounts: OrderedDict[str, _Account]) -> None:
        """Makes room: of the first few the one that has most left, which loses least."""
        first = [accounts.popitem(last=False) for _ in range(_LOOKED_AT)]
        first.sort(key=lambda item: max(item[1].bucket.full_at, item[1].full_at), reverse=True)
        for name, account in first[:-1]:
            accounts[name] = account

    def _take(self, account: _Account, call: Call) -> bool:
        now = self._clock()
        if self._shared is None or now < account.local_until:
            self._take_local(account, call, now)
            return True
        if account.leased and now < account.until:
            account.leased -= 1
            rate = account.rate
            if account.leased <= _lease(rate) // 2:
                self._refill_soon(account)
            call.counted = True
            _tell(call, rate, account.left + account.leased, account.full_at - now)
            return True
        if now < account.denied_until:
            self._refuse(account, call, account.denied_until - now, account.full_at - now)
        return False

    def _take_local(self, account: _Account, call: Call, now: float) -> None:
        rate, bucket = account.rate, account.bucket
        if self._shared is not None:
            rate = rate.times(self._rules.local_share)
        if not bucket.take(rate, now):
            self._refuse(account, call, bucket.wait(rate, now), bucket.full_at - now)
        call.counted = True
        _tell(call, account.rate, bucket.left(rate, now), bucket.full_at - now)

    def _refuse(self, account: _Account, call: Call, wait: float, full_in: float) -> None:
        rate = account.rate
        _tell(call, rate, 0, full_in)
        who = f"address {account.name}" if account.kind is Kind.ANONYMOUS else repr(account.name)
        raise RateLimited(
            f"{who} has asked too much: {rate.per_second:g} calls a second of class {account.kind.value}, {rate.burst} at once "
            f"(setting rate_limits.{account.kind.value}); try again in {max(wait, 0.001):.3g} s",
            retry_seconds=max(wait, 0.001),
            limit=rate.burst,
            limited=account.kind.value,
        )

    def _refill_soon(self, account: _Account) -> None:
        if self._shared is not None and account.refill is None:
            account.refill = asyncio.create_task(self._refill(account), name="lease of a rate limit")

    async def _refill(self, account: _Account) -> None:
        """Asks the shared bucket for tokens. What it says holds from when it was asked."""
        assert self._shared is not None
        asked = self._clock()
        try:
            wanted = _lease(account.rate) - (account.leased if asked < account.until else 0)
            found = await self._shared.lease(f"{account.kind}:{account.name}", account.rate, max(1, wanted))
            if found is None:
                account.local_until = asked + AGAIN_SECONDS
                return
            account.left, account.full_at = found.left, asked + found.full_in
            if found.tokens:
                now = self._clock()
                account.leased = (account.leased if now < account.until else 0) + found.tokens
                account.until = now + LEASE_SECONDS
            elif not account.leased or asked >= account.until:
                account.denied_until = asked + max(found.wait, 0.001)
        finally:
            account.refill = None


class _Counted(Guard):
    __slots__ = ("_limits",)

    def __init__(self, call: Call, limits: RateLimits) -> None:
        super().__init__(call)
        self._limits = limits

    async def __aenter__(self) -> None:
        call = self.call
        operation = call.operation
        await self._limits.count(call, kind_of(operation))
        if operation.client_streaming:
            call.each_request = partial(self._limits.count_request, call, kind_of_request(operation))


def _lease(rate: Rate) -> int:
    """How many tokens are leased at a time."""
    return max(1, min(rate.burst // LEASE_PART, math.ceil(rate.per_second * LEASE_SECONDS / 4)))


def _tell(call: Call, rate: Rate, left: int, full_in: float) -> None:
    others = call.own_metadata and tuple(m for m in call.own_metadata if not m[0].startswith("x-ratelimit-"))
    call.own_metadata = (
        *others,
        ("x-ratelimit-limit", str(rate.burst)),
        ("x-ratelimit-remaining", str(left)),
        ("x-ratelimit-reset", str(math.ceil(full_in)) if full_in > 0 else "0"),
    )
