"""What a decision about a kept answer costs: permissions everywhere, grants for some subjects, and access policies.

`python loadtest/decisions.py`: microseconds of one decision of the guard, the least of several rounds; no server, no wire.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Sequence
from typing import Any

from llm_schema_registry_server.auth.granting import GrantBook
from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.authorize import Authorize
from llm_schema_registry_server.calls.operation import Operation, Resource, ResourceKind
from llm_schema_registry_server.model.policy_tree import policies_of
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.scope import Scope, SubjectScope

GET_SCHEMA = Operation(id="/x/GetSchema", name="GetSchema", permission="schema:read", cached=True)
NAME = "orders.created"
ROUNDS, TIMES = 9, 20_000
READERS = {
    "name": "readers",
    "effect": "POLICY_EFFECT_ALLOW",
    "condition": {
        "all_of": {
            "conditions": [
                {"action_is": {"actions": ["POLICY_ACTION_READ"]}},
                {"resource_sensitivity": "SENSITIVITY_INTERNAL"},
                {"ip_in_range": {"networks": ["10.0.0.0/8", "2001:db8::/32"]}},
            ]
        }
    },
}
RESOURCES = [
    {"scopes": ["secret.*"], "sensitivity": "SENSITIVITY_SECRET"},
    {"scopes": ["*"], "sensitivity": "SENSITIVITY_INTERNAL"},
]


def denial(number: int) -> dict[str, Any]:
    """One that does not hold."""
    at_night = {"time_between": {"start": "22:00", "end": "06:00", "time_zone": "Europe/Berlin"}}
    conditions = [{"resource_has_tag": f"tag {number}"}, at_night]
    return {
        "name": f"denial {number}",
        "effect": "POLICY_EFFECT_DENY",
        "condition": {"all_of": {"conditions": conditions}},
    }


def book(denials: int) -> GrantBook:
    made = GrantBook(Roles())
    tree = {"policies": [*map(denial, range(denials)), READERS], "resources": RESOURCES}
    made.replace_policies(policies_of(tree), 1)
    return made


def kept(principal: Principal) -> Call:
    """A call whose answer is kept."""
    call = Call(GET_SCHEMA, {}, "ipv4:10.1.2.3:4711", "grpc", "id", principal=principal)
    call.resources = (Resource(ResourceKind.SCHEMA, "id"), Resource(ResourceKind.SUBJECT, NAME))
    call.named, call.complete = 1, True
    return call


def scoped(*scopes: str) -> Principal:
    held = SubjectScope(map(Scope.parse, scopes))
    return Principal("ada", scoped=dict.fromkeys(ROLES["reader"], held))


EVERYWHERE = Principal("ada", ROLES["reader"], roles=frozenset({"reader"}))
CASES: Sequence[tuple[str, Callable[[Call], bool], Principal]] = [
    ("permissions everywhere", Authorize(GrantBook(Roles())).quick, EVERYWHERE),
    ("a grant for a prefix", Authorize(GrantBook(Roles())).quick, scoped("orders.*")),
    ("300 grants", Authorize(GrantBook(Roles())).quick, scoped("orders.*", *(f"n{i}*x" for i in range(299)))),
    ("1 policy", Authorize(book(0)).quick, EVERYWHERE),
    ("10 policies", Authorize(book(9)).quick, EVERYWHERE),
    ("200 policies", Authorize(book(199)).quick, EVERYWHERE),
]


def main() -> None:
    for name, quick, principal in CASES:
        call = kept(principal)
        assert quick(call)
        least = min(timeit.repeat(lambda: quick(call), number=TIMES, repeat=ROUNDS)) / TIMES  # noqa: B023
        print(f"{name:24} {least * 1e6:8.2f} us")


if __name__ == "__main__":
    main()
