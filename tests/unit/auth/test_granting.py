"""Grants become permissions, everywhere or in scopes; and settings that are no grants are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_schema_registry_server.auth.granting import MOST_OF_A_PRINCIPAL, CreationRule, GrantBook
from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.calls.guards.granted import GrantedAuthenticator
from llm_schema_registry_server.model.grant import Grant, RoleGrant
from llm_schema_registry_server.model.policy import Effect, Policy, PolicySet
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.scope import Scope
from llm_schema_registry_server.settings import SettingsError, load

READ, WRITE = "schema:read", "schema:write"


def grant(holder: str, role: str = "reader", scope: str = "orders.*") -> Grant:
    return Grant(holder, role, Scope.parse(scope))


def book(*fixed: Grant, rules: tuple[CreationRule, ...] = ()) -> GrantBook:
    return GrantBook(Roles({"inspector": ["metrics:read"]}), fixed, rules)


def test_a_grant_holds_where_it_says() -> None:
    made = book(grant("user:ada"), grant("user:ada", "developer", ":.team:*")).granted(Principal("ada"))

    assert made.may(READ, "orders.a")
    assert not made.may(WRITE, "orders.a")
    assert made.may(WRITE, ":.team:x")
    assert not made.may(READ, "users")
    assert not made.may(READ), "not everywhere"
    assert made.permissions == frozenset()
    assert made.knows("orders.a")
    assert not made.knows("users")


def test_a_grant_on_everything_is_as_good_as_a_role_of_the_token() -> None:
    made = book(grant("*", "developer", "*"), grant("*", "reader")).granted(Principal("ada"))

    assert made.permissions == ROLES["developer"]
    assert dict(made.scoped) == {}


@pytest.mark.parametrize(
    ("principal", "holder", "held"),
    [
        (Principal("ada"), "user:ada", True),
        (Principal("ada", kind="key"), "user:ada", False),
        (Principal("ada", kind="key"), "key:ada", True),
        (Principal("key:ada"), "key:ada", False),
        (Principal("ada", roles=frozenset({"team"})), "role:team", True),
        (Principal("team"), "role:team", False),
        (Principal("ada"), "*", True),
        (Principal("anonymous", anonymous=True), "*", False),
        (Principal("anonymous", anonymous=True), "anonymous", True),
        (Principal("anonymous"), "anonymous", False),
        (Principal("ada", anonymous=True), "user:ada", False),
    ],
)
def test_who_holds_a_grant(principal: Principal, holder: str, held: bool) -> None:
    assert book(grant(holder)).granted(principal).may(READ, "orders.a") is held


def test_what_credentials_carry_counts_too() -> None:
    carried = Principal("ci", kind="key", grants=(RoleGrant("reader", Scope.parse("a.*")),))

    assert book().granted(carried).may(READ, "a.b")


def test_stored_grants_take_the_place_of_stored_ones_and_not_of_fixed_ones() -> None:
    made = book(grant("user:ada"))
    made.replace([grant("user:ada", "reader", "bills")])
    ada = made.granted(Principal("ada"))
    assert ada.may(READ, "bills")
    made.replace([])
    assert not made.now(ada).may(READ, "bills")
    assert made.now(ada).may(READ, "orders.a")


def test_a_role_that_is_gone_gives_nothing_and_a_fixed_one_must_be_there() -> None:
    made = book()
    made.replace([grant("user:ada", "no such role")])
    assert made.granted(Principal("ada")).scoped == {}
    with pytest.raises(ValueError, match="no role is called no such role"):
        book(grant("user:ada", "no such role"))


def test_more_grants_than_count_give_less() -> None:
    made = book(*(grant("user:ada", "reader", f"n{i:04}") for i in range(MOST_OF_A_PRINCIPAL + 5)))
    ada = made.granted(Principal("ada"))

    assert len(ada.grants) == MOST_OF_A_PRINCIPAL
    assert ada.may(READ, "n0000")
    assert not ada.may(READ, f"n{MOST_OF_A_PRINCIPAL + 4:04}")


def test_who_creates() -> None:
    rules = (
        CreationRule((Scope.parse("prod.*"),), frozenset({"role:release"})),
        CreationRule((Scope.parse("prod.frozen"),), frozenset()),
    )
    made = book(rules=rules)
    writer = made.granted(Principal("ada", frozenset({WRITE})))
    releaser = made.granted(Principal("bot", frozenset({WRITE}), roles=frozenset({"release"})))
    reader = made.granted(Principal("eve", frozenset({READ})))

    assert [writer.creates(name) for name in ("dev", "prod.a", "prod.frozen")] == [True, False, False]
    assert [releaser.creates(name) for name in ("dev", "prod.a", "prod.frozen")] == [True, True, False]
    assert not reader.creates("dev")


def test_streams_are_told_of_grants_and_policies_and_caches_forget_at_once() -> None:
    made, told = book(), []

    def listener() -> None:
        told.append("stream")

    made.listen(listener)
    made.derive(lambda: told.append("cache"))
    tell = made.replace([])
    assert told == ["cache"]
    assert list(tell) == [listener]
    assert list(made.replace_policies(PolicySet((Policy("a", Effect.ALLOW),)), 3)) == [listener]
    assert (made.policies.on, made.policies.version) == (True, 3)
    made.forget(listener)
    assert list(made.replace([])) == []


class Known:
    """An authenticator that knows one principal, as the real ones remember those that they have verified."""

    def __init__(self) -> None:
        self.principal = Principal("ada")

    def known(self, metadata: object) -> Principal:
        return self.principal

    async def authenticate(self, metadata: object, address: str = "") -> Principal:
        return self.principal

    def watch(self, principal: Principal, watcher: Callable[[], None]) -> Callable[[], object]:
        return lambda: None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def test_what_is_granted_is_remembered_until_grants_change() -> None:
    made = book()
    authenticator = GrantedAuthenticator(Known(), made)
    first = authenticator.known({})
    assert first is not None
    assert authenticator.known({}) is first
    assert asyncio.run(authenticator.authenticate({})) is first
    made.replace([grant("user:ada")])
    second = authenticator.known({})
    assert second is not None
    assert second.may(READ, "orders.a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[auth.grants]]\nto = "ada"\nrole = "reader"', "is no holder"),
        ('[[auth.grants]]\nto = "user:ada"\nrole = "reader"\non = [":.*:x"]', "may have wildcards"),
        ('[[auth.grants]]\nto = "user:ada"\nrole = "reader"\non = []', "names no subjects"),
        ('[[auth.create]]\non = ["prod.*"]\nby = ["ada"]', "is no holder"),
        ("[[auth.create]]\non = []", "names no subjects"),
        ('[auth.jwt.attribute_claims]\nshoe_size = "x"', "attribute_claims"),
    ],
)
def test_settings_that_are_no_grants_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=said):
        load(file)
