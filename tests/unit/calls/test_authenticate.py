"""Every call has a principal; a stream is told of when what opened it counts no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from llm_schema_registry_server.auth.authenticator import GUESSES
from llm_schema_registry_server.auth.standing import Standings
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.authenticate import ACTOR, Authenticate, OpenAuthenticator
from llm_schema_registry_server.calls.guards.rate_limits import Kind, RateLimits, RateRules
from llm_schema_registry_server.calls.operation import Operation
from llm_schema_registry_server.calls.peer import BehindFront, Fronted
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.errors import (
    DeadlineExceeded,
    InvalidRequest,
    LimitExceeded,
    RateLimited,
    RegistryError,
    Unauthenticated,
)
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.queues.rates import Rate

NOBODY = Principal("anonymous", anonymous=True)
READ = Operation("/t/Read", "Read", "schema:read")
FOLLOW = Operation("/t/Follow", "Follow", "schema:read", server_streaming=True)


@dataclass
class Shelf:
    """An authenticator that has its answers at hand: by what a call shows, a principal or an error. `remembers` those that need no
    waiting; what it was asked about is in `asked`."""

    answers: dict[str, Principal | RegistryError]
    remembers: set[str] = field(default_factory=set)
    standings: Standings = field(default_factory=Standings)
    asked: list[tuple[str, str, callers.Caller]] = field(default_factory=list)

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        shown = metadata.get("authorization")
        if shown is None:
            return NOBODY
        return self._answer(shown) if shown in self.remembers else None

    async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
        self.asked.append((metadata["authorization"], address, callers.current()))
        await asyncio.sleep(0)
        return self._answer(metadata["authorization"])

    def watch(self, principal: Principal, watcher: Callable[[], None]) -> Callable[[], object]:
        return self.standings.of(principal.credential).watch(watcher)

    def _answer(self, shown: str) -> Principal:
        answer = self.answers[shown]
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def ada(credential: str = "token a", expires: float | None = None) -> Principal:
    return Principal("ada", frozenset({"schema:read"}), credential=credential, expires=expires)


class World:
    """Two operations behind the guard. `items`: what the stream has to tell."""

    def __init__(self, shelf: Shelf, **options: object) -> None:
        self.shelf = shelf
        self.items: asyncio.Queue[str] = asyncio.Queue()
        guard = Authenticate(shelf, **options)  # type: ignore[arg-type]
        self.guard = guard
        self.pipeline = Pipeline([(READ, self.read), (FOLLOW, self.follow)], [guard])

    async def read(self, request: object, call: Call) -> str:
        return call.principal.name

    async def follow(self, request: object, call: Call) -> AsyncGenerator[str, None]:
        while True:
            yield f"{await self.items.get()} for {call.principal.credential}"

    async def ask(self, made: Call) -> str:
        name: str = await self.pipeline.unary(made, None)
        return name


def call(shown: str = "", operation: Operation = READ, **options: object) -> Call:
    metadata = {"authorization": shown} if shown else {}
    return Call(operation, metadata, "10.0.0.7:1", "test", "id-1", **options)  # type: ignore[arg-type]


async def test_what_is_known_needs_no_asking_and_the_rest_waits_for_its_turn() -> None:
    world = World(Shelf({"a": ada(), "b": Principal("bob")}, {"a"}))
    assert world.guard.quick(call("a"))
    assert not world.guard.quick(call("b"))
    assert [await world.ask(call(shown)) for shown in ("a", "b", "")] == ["ada", "bob", "anonymous"]
    ((shown, address, caller),) = world.shelf.asked
    assert (shown, address, caller.key) == ("b", "10.0.0.7", "10.0.0.7"), "nobody yet, so it is its address"


@pytest.mark.parametrize("remembered", [True, False])
async def test_bad_credentials_count_against_their_address_and_then_are_not_looked_at(
    remembered: bool,
) -> None:
    bad = RateLimits(RateRules({Kind.ANONYMOUS: Rate(0.001, 3)}))
    shelf = Shelf({"bad": Unauthenticated("no"), "good": ada()}, {"bad"} if remembered else set())
    world = World(shelf, bad=bad)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await world.ask(call("bad"))
    with pytest.raises(RateLimited):
        await world.ask(call("bad"))
    before = len(shelf.asked)
    with pytest.raises(RateLimited):
        await world.ask(call("good"))
    assert len(shelf.asked) == before, "what is not known was not looked at"
    shelf.remembers.add("good")
    assert await world.ask(call("good")) == "ada", "who is known comes in"


async def test_bad_credentials_are_refused_also_where_nobody_counts_them() -> None:
    world = World(Shelf({"bad": Unauthenticated("no"), "worse": Unauthenticated("no")}, {"bad"}))
    for shown in ("bad", "worse"):
        with pytest.raises(Unauthenticated):
            await world.ask(call(shown))


async def test_a_call_says_whether_it_was_refused_for_guesses() -> None:
    shelf = Shelf(
        {"guess": LimitExceeded("wait", what=GUESSES), "queue": LimitExceeded("wait", what="queue")}
    )
    world = World(shelf)
    for shown, guesses in (("guess", True), ("queue", False)):
        made = call(shown)
        with pytest.raises(LimitExceeded):
            await world.ask(made)
        assert made.guesses is guesses


# -- certificates


class Names:
    def principal(self, certificate: bytes) -> Principal:
        return Principal(certificate.decode(), kind="cert")


def behind(**connections: Fronted) -> BehindFront:
    return BehindFront(lambda connection: connections.get(connection))


async def test_without_credentials_the_certificate_of_the_connection_counts() -> None:
    front = behind(tls=Fronted("10.0.0.7:1", b"worker"), bare=Fronted("10.0.0.8:1", b""))
    shelf = Shelf({"a": ada()}, {"a"})
    world = World(shelf, certificates=Names())
    asked = {
        ("", "tls"): "worker",
        ("a", "tls"): "ada",
        ("", "bare"): "anonymous",
    }
    for (shown, connection), name in asked.items():
        made = call(shown, proxies=front)
        made.connection = connection
        assert world.guard.quick(made)
        assert made.principal.name == name
        assert await world.ask(made) == name


async def test_who_comes_around_the_front_is_nobody_whatever_it_shows() -> None:
    world = World(Shelf({"a": ada()}, {"a"}), certificates=Names())
    made = call("a", proxies=behind())
    with pytest.raises(Unauthenticated, match="for the front of the server alone"):
        world.guard.quick(made)
    with pytest.raises(Unauthenticated):
        await world.ask(made)


# -- streams


async def test_a_stream_goes_on_as_whom_it_shows_by_now() -> None:
    changed, told = list[str](), asyncio.Event()
    shelf = Shelf({"a": ada("token a")}, {"a"})
    world = World(shelf)
    made = call("a", FOLLOW)

    def principal_changed() -> None:
        changed.append(made.principal.credential)
        told.set()

    made.principal_changed = principal_changed
    async with aclosing(world.pipeline.stream(made, None)) as items:
        world.items.put_nowait("1")
        assert await anext(items) == "1 for token a"
        shelf.answers["a"] = ada("token b")
        shelf.remembers.clear()
        shelf.standings.end("token a")
        waiting = asyncio.create_task(anext(items))  # type: ignore[arg-type]
        await told.wait()
        world.items.put_nowait("2")
        assert await waiting == "2 for token b"
    assert changed == ["token b"]
    ((_, address, caller),) = shelf.asked
    assert (address, caller) == ("", callers.SERVER), "the server asks by itself: it is no guess"


async def test_a_stream_whose_credentials_count_no_more_ends_with_the_refusal() -> None:
    bad = RateLimits(RateRules({Kind.ANONYMOUS: Rate(0.001, 1)}))
    shelf = Shelf({"a": ada()}, {"a"})
    world = World(shelf, bad=bad)
    async with aclosing(world.pipeline.stream(call("a", FOLLOW), None)) as items:
        waiting = asyncio.create_task(anext(items))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        shelf.answers["a"] = Unauthenticated("it was revoked")
        shelf.remembers.clear()
        shelf.standings.end("token a")
        with pytest.raises(Unauthenticated, match="revoked") as ended:
            await waiting
    assert isinstance(ended.value.__cause__, DeadlineExceeded)
    with pytest.raises(Unauthenticated):
        await world.ask(call("a"))  # its first guess: the stream's was none


async def test_a_stream_ends_when_its_credentials_expire_and_says_so() -> None:
    shelf = Shelf({"a": ada(expires=time.time() + 0.02)}, {"a"})
    async with aclosing(World(shelf).pipeline.stream(call("a", FOLLOW), None)) as items:
        with pytest.raises(Unauthenticated, match="expired"):
            await anext(items)


async def test_a_stream_with_an_earlier_deadline_ends_at_it() -> None:
    shelf = Shelf({"a": ada(expires=time.time() + 3600)}, {"a"})
    made = call("a", FOLLOW, deadline=time.monotonic() + 0.02)
    async with aclosing(World(shelf).pipeline.stream(made, None)) as items:
        with pytest.raises(DeadlineExceeded):
            await anext(items)


async def test_a_stream_that_is_left_asks_nothing_more() -> None:
    asking = asyncio.Event()

    class Slow(Shelf):
        async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
            asking.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.asked.append(("cancelled", address, callers.current()))
                raise
            raise AssertionError("nobody sets it")

    shelf = Slow({"a": ada()}, {"a"})
    world = World(shelf)
    async with aclosing(world.pipeline.stream(call("a", FOLLOW), None)) as items:
        world.items.put_nowait("1")
        await anext(items)
        shelf.remembers.clear()
        shelf.standings.end("token a")
        await asking.wait()
    await asyncio.sleep(0)
    assert [shown for shown, *_ in shelf.asked] == ["cancelled"]
    shelf.standings.end("token a")  # tells nobody


# -- where everyone is let in


async def test_an_open_server_lets_callers_say_their_names() -> None:
    opened = OpenAuthenticator({"schema:read"})
    await opened.start()
    assert opened.known({}).name == "anonymous"
    named = await opened.authenticate({ACTOR: "ada"})
    assert (named.name, named.anonymous, named.permissions) == ("ada", True, {"schema:read"})
    for name in ("", "a\nb", "x" * 256):
        with pytest.raises(InvalidRequest, match=ACTOR):
            opened.known({ACTOR: name})
    opened.watch(named, lambda: pytest.fail("nothing ever ends"))()
    await opened.stop()
