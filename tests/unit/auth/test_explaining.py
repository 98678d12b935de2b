"""An explanation says what a call would get, and which grant or policy it is because of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from llm_schema_registry_server.auth.explaining import AccessQuestion, asked_of, explain, keeps
from llm_schema_registry_server.auth.granting import GrantBook
from llm_schema_registry_server.auth.permissions import Roles
from llm_schema_registry_server.model import policy as p
from llm_schema_registry_server.model.grant import Grant, RoleGrant
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.scope import Scope

READ, WRITE = "schema:read", "schema:write"
ADA = Principal("ada", roles=frozenset({"reader"}), permissions=frozenset({READ}))
INSIDE = p.IpInRange((ip_network("10.0.0.0/8"),))


def book(*grants: tuple[str, str], policies: Sequence[p.Policy] = ()) -> GrantBook:
    made = GrantBook(Roles(), [Grant("user:ada", role, Scope.parse(scope)) for role, scope in grants])
    if policies:
        made.replace_policies(
            p.PolicySet(tuple(policies), (p.Classification((Scope.parse("orders.*"),)),)), 7
        )
    return made


def test_the_grants_that_give_a_permission_are_named_and_no_others() -> None:
    made = book(("developer", "orders.*"), ("developer", "users"), ("auditor", "*"))
    found = explain(made, AccessQuestion(ADA, WRITE, "orders.a"))
    assert found.allowed
    assert found.grants == [RoleGrant("developer", Scope.parse("orders.*"))]
    assert found.reason == "roles or grants give the permission, and there are no policies"
    assert (found.verdict, found.traces, found.resource) == (None, (), None)
    role = explain(made, AccessQuestion(ADA, READ, "bills"))
    assert role.grants == [RoleGrant("reader")]


@pytest.mark.parametrize("subject", ["bills", None])
def test_without_a_grant_nothing_is_allowed_and_the_sentence_says_so(subject: str | None) -> None:
    found = explain(book(("developer", "orders.*")), AccessQuestion(ADA, WRITE, subject))
    assert not found.allowed
    assert found.grants == []
    assert found.reason == "no role and no grant gives the permission there"


@pytest.mark.parametrize(
    ("policies", "address", "allowed", "reason"),
    [
        ([p.Policy("inside", p.Effect.ALLOW, INSIDE)], "10.1.1.1", True, "policy 'inside' allows it"),
        ([p.Policy("inside", p.Effect.ALLOW, INSIDE)], "192.0.2.1", False, "no policy allows it"),
        ([p.Policy("not inside", p.Effect.DENY, INSIDE)], "10.1.1.1", False, "'not inside' denies it$"),
        ([p.Policy("not inside", p.Effect.DENY, INSIDE)], "", False, "asks about is not known"),
    ],
)
def test_policies_have_the_last_word(
    policies: Sequence[p.Policy], address: str, allowed: bool, reason: str
) -> None:
    found = explain(book(policies=policies), AccessQuestion(ADA, READ, "orders.a", address, at=1.8e9))
    assert found.granted
    assert found.allowed is allowed
    assert re.search(reason, found.reason)
    assert [trace.name for trace in found.traces] == [policy.name for policy in policies]
    assert found.version == 7
    assert found.resource is not None


def test_policies_that_are_not_in_force_can_be_asked_about() -> None:
    closed = p.PolicySet((p.Policy("closed", p.Effect.DENY),))
    made = book()
    assert explain(made, AccessQuestion(ADA, READ)).allowed
    found = explain(made, AccessQuestion(ADA, READ, policies=closed))
    assert (found.allowed, found.version) == (False, 0)
    assert explain(made, AccessQuestion(ADA, READ)).allowed, "nothing has changed"


def test_whoever_sets_policies_can_be_asked_whether_they_lock_him_out() -> None:
    admin = Principal("root", permissions=frozenset({"admin:users"}))
    assert keeps(admin, "10.1.1.1", "admin:users", p.PolicySet())
    only_inside = p.PolicySet((p.Policy("inside", p.Effect.ALLOW, INSIDE),))
    assert keeps(admin, "10.1.1.1", "admin:users", only_inside)
    assert not keeps(admin, "192.0.2.1", "admin:users", only_inside)


def test_a_caller_is_asked_about_as_its_credentials_say_it_is() -> None:
    made = book(("developer", "orders.*"))
    assert asked_of(made.granted(ADA)) is ADA
    brought = Principal("ci", kind="key", grants=(RoleGrant("reader"),))
    assert asked_of(brought) == Principal("ci", kind="key")
