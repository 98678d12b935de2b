"""A call goes through where its permission holds for all that it touches; what the caller may not know of is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from llm_schema_registry_server.auth.granting import GrantBook
from llm_schema_registry_server.auth.permissions import Roles
from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.authorize import Authorize
from llm_schema_registry_server.calls.operation import Operation, Resource, ResourceKind, Unnamed
from llm_schema_registry_server.calls.pipeline import Invoke, Pipeline
from llm_schema_registry_server.errors import (
    DeadlineExceeded,
    PermissionDenied,
    RegistryError,
    SubjectNotFound,
    Unauthenticated,
)
from llm_schema_registry_server.model.grant import Grant
from llm_schema_registry_server.model.policy import Classification, Effect, Policy, PolicySet, Sensitivity
from llm_schema_registry_server.model.policy import ResourceSensitivity as AtMost
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.scope import Scope

K = ResourceKind
NOBODY = Principal("anonymous", anonymous=True)
ADA = Principal("ada")


def subject(name: str) -> Resource:
    return Resource(K.SUBJECT, name)


def names(request: list[Resource]) -> tuple[Resource, ...]:
    """Requests of these tests are the resources that they name."""
    return tuple(request)


def operation(name: str, permission: str, **said: object) -> Operation:
    return Operation(f"/t/{name}", name, permission, **{"resources": names, **said})  # type: ignore[arg-type]


OPEN = operation("Health", "none")
READ = operation("GetLatest", "schema:read", cached=True)
CHECK = operation("Check", "compatibility:check")
WRITE = operation("Register", "schema:write")
LOOKUP = operation("RegisterOrLookUp", "schema:write", lookup="schema:read")
COUNT = operation("Count", "schema:read")
LIST = operation("List", "schema:read", unnamed=Unnamed.FILTERED)
LEARNS = operation("GetById", "schema:read", unnamed=Unnamed.ALLOWED)
FOLLOW = operation("Follow", "schema:read", server_streaming=True, unnamed=Unnamed.FILTERED)
FOLLOW_OPEN = operation("FollowHealth", "none", server_streaming=True)


class World:
    """Operations behind the guard alone. `learned`: what GetById finds out that it touches; `items`: what a stream has to tell of,
    and None where it waits for ever."""

    def __init__(self, *grants: tuple[str, str, str], policies: PolicySet | None = None) -> None:
        self.book = GrantBook(Roles(), [Grant(who, role, Scope.parse(on)) for who, role, on in grants])
        if policies is not None:
            self.book.replace_policies(policies, 1)
        self.learned: list[Resource] = []
        self.items: asyncio.Queue[str] = asyncio.Queue()
        self.handled = 0
        handlers = [(each, self.answer) for each in (OPEN, READ, CHECK, WRITE, LOOKUP, COUNT, LIST, LEARNS)]
        streams = [(each, self.follow) for each in (FOLLOW, FOLLOW_OPEN)]
        self.pipeline = Pipeline([*handlers, *streams], [Authorize(self.book)], AnswerCache(1 << 20))

    async def answer(self, request: list[Resource], call: Call) -> str:
        self.handled += 1
        for resource in self.learned:
            call.touch(resource)
        return "done"

    async def follow(self, request: list[Resource], call: Call) -> AsyncGenerator[str, None]:
        while True:
            item = await self.items.get()
            if call.shows(subject(item)):
                yield item

    def call(self, operation: Operation, principal: Principal = ADA) -> Call:
        made = Call(operation, {}, "10.0.0.7:1", "test", "id-1")
        made.principal = self.book.granted(principal)
        return made

    async def ask(self, operation: Operation, *named: Resource, principal: Principal = ADA) -> Call:
        made = self.call(operation, principal)
        assert await self.pipeline.unary(made, list(named)) == "done"
        return made

    async def ask_kept(self, call: Call, *named: Resource) -> str:
        """Over the cache: `held` when the answer came from it."""
        key = repr(named).encode()
        found = self.pipeline.cached_at_once(call, key)
        if found is not None:
            return "held"

        async def make(invoke: Invoke) -> CachedAnswer:
            token = self.pipeline.begin()
            return self.pipeline.cache(token, call, key, (await invoke(list(named))).encode())

        before = self.handled
        await self.pipeline.answer(call, key, make)
        return "computed" if self.handled > before else "held"

    def change(self, *stored: tuple[str, str, str]) -> None:
        """Other grants from now on; streams are told."""
        for tell in self.book.replace([Grant(who, role, Scope.parse(on)) for who, role, on in stored]):
            tell()


READER = ("user:ada", "reader", "orders.*")


async def test_what_needs_no_permission_is_open_to_all_also_under_policies() -> None:
    for policies in (None, PolicySet((Policy("nobody", Effect.DENY),))):
        world = World(policies=policies)
        assert (await world.ask(OPEN, principal=NOBODY)).outcome is not None
        world.items.put_nowait("anything")
        async with aclosing(world.pipeline.stream(world.call(FOLLOW_OPEN, NOBODY), [])) as items:
            assert await anext(items) == "anything"


@pytest.mark.parametrize(("principal", "error"), [(NOBODY, Unauthenticated), (ADA, PermissionDenied)])
async def test_what_holds_nowhere_is_refused_before_anything_is_done(
    principal: Principal, error: type[RegistryError]
) -> None:
    world = World()
    with pytest.raises(error, match="GetLatest") as refused:
        await world.ask(READ, subject("orders.a"), principal=principal)
    assert refused.value.metadata["permission"] == "schema:read"
    assert world.handled == 0


async def test_without_grants_the_permissions_of_the_credentials_count() -> None:
    async def answer(request: list[Resource], call: Call) -> str:
        return "done"

    pipeline = Pipeline([(READ, answer), (WRITE, answer)], [Authorize()])
    for operation, done in ((READ, True), (WRITE, False)):
        made = Call(operation, {}, "10.0.0.7:1", "test", "id-1")
        made.principal = Principal("ada", frozenset({"schema:read"}))
        if done:
            assert await pipeline.unary(made, [subject("orders.a")]) == "done"
        else:
            with pytest.raises(PermissionDenied, match="'schema:write', which 'ada' does not have"):
                await pipeline.unary(made, [subject("orders.a")])


async def test_a_name_outside_of_the_scope_is_no_subject_for_the_caller() -> None:
    world = World(READER)
    await world.ask(READ, subject("orders.a"))
    with pytest.raises(SubjectNotFound):
        await world.ask(READ, subject("users"))
    assert world.handled == 1


async def test_a_subject_that_the_caller_knows_by_another_permission_is_denied_not_hidden() -> None:
    world = World(READER, ("user:ada", "auditor", "*"), ("user:ada", "developer", "dev.*"))
    made = world.call(WRITE)
    with pytest.raises(PermissionDenied, match=r"'schema:write' for subject 'orders\.a'"):
        await world.pipeline.unary(made, [subject("dev.a"), subject("orders.a")])
    assert made.refused == (subject("orders.a"),)


async def test_operations_that_answer_for_missing_subjects_deny_instead_of_hiding() -> None:
    """NOT_FOUND would be no answer of theirs, and would tell who asks that it is about rights."""
    world = World(READER, ("user:ada", "developer", "dev.*"))
    for operation in (WRITE, LIST):
        with pytest.raises(PermissionDenied):
            await world.ask(operation, subject("secret.a"))


async def test_with_the_permission_to_look_up_a_registration_passes_and_changes_nothing_by_itself() -> None:
    world = World(READER)
    await world.ask(LOOKUP, subject("orders.a"))
    with pytest.raises(PermissionDenied):
        await world.ask(LOOKUP, subject("users"))
    with pytest.raises(PermissionDenied):
        await World(("user:ada", "auditor", "*")).ask(LOOKUP, subject("orders.a"))


async def test_who_has_it_in_a_scope_does_not_have_it_everywhere() -> None:
    world = World(READER)
    with pytest.raises(PermissionDenied, match="everywhere"):
        await world.ask(COUNT)
    await world.ask(LIST)
    await World(("user:ada", "reader", "*")).ask(COUNT)


@pytest.mark.parametrize(
    ("learned", "error"),
    [
        (subject("orders.b"), None),
        (subject("users"), SubjectNotFound),
        (Resource(K.REFERENCE, "users"), None),
        (Resource(K.SCHEMA, "some id"), None),
        (Resource(K.CONTEXT, ".team"), None),
        (Resource(K.CONTEXT, ".other"), PermissionDenied),
    ],
)
async def test_what_the_handler_finds_out_is_decided_when_it_does(
    learned: Resource, error: type[RegistryError] | None
) -> None:
    world = World(READER, ("user:ada", "reader", ":.team:*"))
    world.learned = [learned]
    made = world.call(LEARNS)
    if error is None:
        await world.pipeline.unary(made, [])
    else:
        with pytest.raises(error):
            await world.pipeline.unary(made, [])
        assert made.refused == (learned,)
    assert world.handled == 1


async def test_a_kept_answer_goes_to_who_may_have_all_that_it_tells_of() -> None:
    world = World(("user:root", "admin", "*"), READER, ("user:bob", "reader", "users"))
    world.learned = [Resource(K.REFERENCE, "users")]
    root, ada = (lambda: world.call(READ, Principal("root"))), (lambda: world.call(READ))
    assert await world.ask_kept(root(), subject("orders.a")) == "computed"
    assert await world.ask_kept(root(), subject("orders.a")) == "held"
    assert await world.ask_kept(ada(), subject("orders.a")) == "computed", (
        "she may not read what it references"
    )
    with pytest.raises(SubjectNotFound):
        await world.ask_kept(world.call(READ, Principal("bob")), subject("orders.a"))
    with pytest.raises(PermissionDenied):
        await world.ask_kept(world.call(READ, Principal("eve")), subject("orders.a"))
    world.change(("user:ada", "reader", "users"))
    assert await world.ask_kept(ada(), subject("orders.a")) == "held"


SECRETS = (Classification((Scope.parse("secret.*"),), Sensitivity.SECRET),)
NO_SECRETS = PolicySet(
    (
        Policy("up to internal", Effect.ALLOW, AtMost(Sensitivity.INTERNAL)),
        Policy("orders", Effect.ALLOW, AtMost(Sensitivity.CONFIDENTIAL)),
    ),
    (*SECRETS, Classification((Scope.parse("orders.*"),), Sensitivity.CONFIDENTIAL)),
)


async def test_policies_narrow_what_grants_give_also_of_kept_answers() -> None:
    world = World(("user:root", "admin", "*"), READER)
    root = Principal("root")
    for name in ("orders.a", "secret.a"):
        assert await world.ask_kept(world.call(READ, root), subject(name)) == "computed"
    world.book.replace_policies(NO_SECRETS, 1)

    assert await world.ask_kept(world.call(READ, root), subject("orders.a")) == "held"
    with pytest.raises(SubjectNotFound):
        await world.ask_kept(world.call(READ, root), subject("secret.a"))
    with pytest.raises(PermissionDenied, match="the access policies do not allow 'root' to call Register"):
        await world.ask(WRITE, subject("secret.a"), principal=root)
    with pytest.raises(PermissionDenied, match="policies do not allow 'root' to call Count everywhere"):
        await world.ask(COUNT, principal=root)
    made = await world.ask(CHECK, subject("orders.a"), principal=root)
    assert not made.rights.may("compatibility:check", "secret.a")


async def test_policies_that_allow_nothing_leave_nothing_of_a_grant() -> None:
    world = World(("user:root", "admin", "*"), policies=PolicySet((Policy("nobody", Effect.DENY),)))
    with pytest.raises(PermissionDenied, match=r"policies do not allow 'root' to call GetLatest$"):
        await world.ask(READ, subject("orders.a"), principal=Principal("root"))
    with pytest.raises(Unauthenticated):
        await world.ask(READ, subject("orders.a"), principal=NOBODY)


# -- streams, while grants change


async def next_of(items: AsyncGenerator[str, None], world: World, *offered: str) -> str:
    for item in offered:
        world.items.put_nowait(item)
    return await anext(items)


async def test_a_stream_tells_only_of_what_its_caller_may_read_by_now() -> None:
    world = World(READER)
    async with aclosing(world.pipeline.stream(world.call(FOLLOW), [])) as items:
        assert await next_of(items, world, "users", "orders.a") == "orders.a"
        world.change(("user:ada", "reader", "users"))
        assert await next_of(items, world, "users") == "users"
        world.change()
        assert await next_of(items, world, "users", "orders.b") == "orders.b"


async def test_one_who_read_everything_is_looked_at_once_grants_are_narrower() -> None:
    world = World()
    world.change(("user:ada", "reader", "*"))
    made = world.call(FOLLOW)
    async with aclosing(world.pipeline.stream(made, [])) as items:
        assert await next_of(items, world, "users") == "users"
        assert not made.looked_into
        world.change(READER)
        assert await next_of(items, world, "users", "orders.a") == "orders.a"


async def test_a_stream_whose_caller_may_nothing_any_more_ends_with_the_refusal_even_while_it_waits() -> None:
    world = World()
    world.change(READER)
    async with aclosing(world.pipeline.stream(world.call(FOLLOW), [])) as items:
        assert await next_of(items, world, "orders.a") == "orders.a"
        waiting = asyncio.create_task(anext(items))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        world.change()
        with pytest.raises(PermissionDenied) as ended:
            await waiting
    assert isinstance(ended.value.__cause__, DeadlineExceeded)
    assert world.book.replace([]) == (), "it listens no more"


async def test_a_refusal_is_told_with_the_next_item_too() -> None:
    world = World(("user:bob", "reader", "*"))
    world.change(READER)
    made = world.call(FOLLOW)
    async with aclosing(world.pipeline.stream(made, [])) as items:
        assert await next_of(items, world, "orders.a") == "orders.a"
        world.change()
        for look in (made.shows, made.touch):
            with pytest.raises(PermissionDenied):
                look(subject("orders.b"))


async def test_policies_end_a_stream_as_grants_do() -> None:
    world = World(("user:ada", "reader", "*"))
    async with aclosing(world.pipeline.stream(world.call(FOLLOW), [])) as items:
        assert await next_of(items, world, "secret.a") == "secret.a"
        for tell in world.book.replace_policies(NO_SECRETS, 1):
            tell()
        assert await next_of(items, world, "secret.b", "orders.a") == "orders.a"
        waiting = asyncio.create_task(anext(items))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        for tell in world.book.replace_policies(PolicySet((Policy("nobody", Effect.DENY),)), 2):
            tell()
        with pytest.raises(PermissionDenied, match="policies"):
            await waiting
