"""Access policies: what each condition says, that a denial wins, and that what is not known never allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry_server.auth.conditions import Facts, Truth, address_of, compiled
from llm_schema_registry_server.auth.permissions import PERMISSIONS
from llm_schema_registry_server.auth.policies import Decider, PolicyBook, PolicyRights
from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.model import policy as p
from llm_schema_registry_server.model.policy_tree import LIMITS, PolicyLimits, policies_of
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.model.scope import Scope, SubjectScope

BERLIN = ZoneInfo("Europe/Berlin")
LOCATIONS = {"office": (ip_network("10.1.0.0/16"),), "lab": (ip_network("2001:db8::/32"),)}
SECRET = p.Classification((Scope.parse("secret.*"),), p.Sensitivity.SECRET, "user:ada", frozenset({"pii"}))
OPEN = p.Classification((Scope.parse("open.*"),), p.Sensitivity.PUBLIC)


def at(text: str, zone: Any = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def facts(**known: Any) -> Facts:
    if "address" in known:
        known["address"] = address_of(known["address"])
    return Facts(**known)


TABLE: list[tuple[p.Condition, Facts, Truth]] = [
    (p.UserHasRole("admin"), facts(roles=frozenset({"admin"})), True),
    (p.UserHasRole("admin"), facts(roles=frozenset({"administrator"})), False),
    (p.UserClearanceLevel(2), facts(clearance=2), True),
    (p.UserClearanceLevel(2), facts(clearance=1), False),
    (p.UserClearanceLevel(0), facts(clearance=0), True),
    (p.UserClearanceLevel(0), facts(), None),
    (p.ResourceSensitivity(p.Sensitivity.SECRET), facts(resource=SECRET), True),
    (p.ResourceSensitivity(p.Sensitivity.CONFIDENTIAL), facts(resource=SECRET), False),
    (p.ResourceSensitivity(p.Sensitivity.TOP_SECRET), facts(), None),
    (
        p.ResourceSensitivity(p.Sensitivity.TOP_SECRET),
        facts(resource=replace(SECRET, sensitivity=None)),
        None,
    ),
    (p.UserIsOwner(), facts(resource=SECRET, holders=frozenset({"user:ada", "*"})), True),
    (p.UserIsOwner(), facts(resource=SECRET, holders=frozenset({"key:ada", "*"})), False),
    (p.UserIsOwner(), facts(resource=OPEN, holders=frozenset({"user:ada"})), False),
    (p.UserIsOwner(), facts(holders=frozenset({"user:ada"})), None),
    (p.ActionIs(frozenset({p.Action.READ})), facts(action=p.Action.READ), True),
    (p.ActionIs(frozenset({p.Action.READ})), facts(action=p.Action.DELETE), False),
    (p.IpInRange((ip_network("10.0.0.0/8"),)), facts(address="10.255.255.255"), True),
    (p.IpInRange((ip_network("10.0.0.0/8"),)), facts(address="11.0.0.0"), False),
    (p.IpInRange((ip_network("10.0.0.0/8"),)), facts(address="9.255.255.255"), False),
    (p.IpInRange((ip_network("10.0.0.0/8"),)), facts(address="::ffff:10.1.2.3"), True),
    (p.IpInRange((ip_network("10.0.0.0/8"),)), facts(address="::1"), False),
    (p.IpInRange((ip_network("2001:db8::/32"),)), facts(address="2001:db8:ffff::1"), True),
    (p.IpInRange((ip_network("2001:db8::/32"),)), facts(address="2001:db9::"), False),
    (p.IpInRange((ip_network("0.0.0.0/0"), ip_network("::/0"))), facts(address=""), None),
    (p.IpInRange((ip_network("0.0.0.0/0"), ip_network("::/0"))), facts(address="unix:/tmp/x"), None),
    (p.LocationIs("office"), facts(address="10.1.2.3"), True),
    (p.LocationIs("office"), facts(address="2001:db8::1"), False),
    (p.LocationIs("office"), facts(address="10.2.0.0"), None),
    (p.LocationIs("nowhere"), facts(address="10.2.0.0"), None),
    (p.LocationIs("office"), facts(), None),
    (p.TimeBetween(time(8), time(18), UTC), facts(now=at("2026-03-02T08:00")), True),
    (p.TimeBetween(time(8), time(18), UTC), facts(now=at("2026-03-02T07:59:59")), False),
    (p.TimeBetween(time(8), time(18), UTC), facts(now=at("2026-03-02T18:00")), False),
    (p.TimeBetween(time(22), time(6), UTC), facts(now=at("2026-03-02T23:00")), True),
    (p.TimeBetween(time(22), time(6), UTC), facts(now=at("2026-03-02T05:59")), True),
    (p.TimeBetween(time(22), time(6), UTC), facts(now=at("2026-03-02T06:00")), False),
    (p.TimeBetween(time(22), time(0), UTC), facts(now=at("2026-03-02T23:59")), True),
    (p.TimeBetween(time(22), time(0), UTC), facts(now=at("2026-03-02T00:00")), False),
    (p.TimeBetween(time(22), None, UTC), facts(now=at("2026-03-02T23:59:59")), True),
    (p.TimeBetween(time(8), time(18), BERLIN), facts(now=at("2026-07-01T06:30")), True),
    (p.TimeBetween(time(8), time(18), BERLIN), facts(now=at("2026-01-01T06:30")), False),
    (p.DayIs(frozenset({p.DayOfWeek.MONDAY}), UTC), facts(now=at("2026-03-02T00:00")), True),
    (p.DayIs(frozenset({p.DayOfWeek.MONDAY}), UTC), facts(now=at("2026-03-01T23:59")), False),
    (p.DayIs(frozenset({p.DayOfWeek.MONDAY}), BERLIN), facts(now=at("2026-03-01T23:30")), True),
    (p.DepartmentIs("sales"), facts(department="sales"), True),
    (p.DepartmentIs("sales"), facts(department="Sales"), False),
    (p.DepartmentIs("sales"), facts(), None),
    (p.ResourceHasTag("pii"), facts(resource=SECRET), True),
    (p.ResourceHasTag("pii"), facts(resource=OPEN), False),
    (p.ResourceHasTag("pii"), facts(), None),
    (p.Not(p.ResourceHasTag("pii")), facts(resource=OPEN), True),
    (p.Not(p.ResourceHasTag("pii")), facts(), None),
    (p.All((p.UserHasRole("x"), p.DepartmentIs("d"))), facts(), False),
    (p.All((p.UserHasRole("x"), p.DepartmentIs("d"))), facts(roles=frozenset({"x"})), None),
    (p.Any((p.UserHasRole("x"), p.DepartmentIs("d"))), facts(roles=frozenset({"x"})), True),
    (p.Any((p.UserHasRole("x"), p.DepartmentIs("d"))), facts(), None),
    (p.Any((p.UserHasRole("x"), p.DepartmentIs("d"))), facts(department="e"), False),
]


@pytest.mark.parametrize(("condition", "known", "expected"), TABLE)
def test_a_condition_holds_or_not_or_cannot_be_told(
    condition: p.Condition, known: Facts, expected: Truth
) -> None:
    assert compiled(condition, LOCATIONS)(known) is expected


def test_every_kind_of_condition_is_in_the_table() -> None:
    assert {type(condition) for condition, _, _ in TABLE} == set(p.Condition.__args__)


def test_every_permission_has_an_action() -> None:
    assert set(p.ACTIONS) == PERMISSIONS


# -- properties

_LEAVES = st.one_of(
    st.sampled_from([p.UserHasRole("a"), p.UserHasRole("b"), p.UserIsOwner(), p.ResourceHasTag("pii")]),
    st.integers(0, 5).map(p.UserClearanceLevel),
    st.sampled_from(p.Sensitivity).map(p.ResourceSensitivity),
    st.frozensets(st.sampled_from(p.Action), min_size=1).map(p.ActionIs),
    st.sampled_from(["sales", "ops"]).map(p.DepartmentIs),
    st.sampled_from(["office", "lab"]).map(p.LocationIs),
    st.sampled_from(["10.1.0.0/16", "0.0.0.0/0", "::/0"]).map(lambda n: p.IpInRange((ip_network(n),))),
    st.just(p.TimeBetween(time(8), time(18), UTC)),
    st.just(p.DayIs(frozenset({p.DayOfWeek.MONDAY}), UTC)),
)
CONDITIONS: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda c: p.All(tuple(c))),
        st.lists(inner, min_size=1, max_size=3).map(lambda c: p.Any(tuple(c))),
        inner.map(p.Not),
    ),
    max_leaves=6,
)
POLICIES = st.builds(
    p.Policy,
    name=st.text(min_size=1, max_size=3),
    effect=st.sampled_from(p.Effect),
    condition=st.one_of(st.none(), CONDITIONS),
    disabled=st.booleans(),
)
CLASSES = st.sampled_from([None, SECRET, OPEN, replace(OPEN, sensitivity=None)])


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "roles": draw(st.frozensets(st.sampled_from("ab"))),
        "holders": draw(st.frozensets(st.sampled_from(["user:ada", "*"]))),
        "department": draw(st.sampled_from(["", "sales", "ops"])),
        "clearance": draw(st.one_of(st.none(), st.integers(0, 5))),
        "address": draw(st.sampled_from(["", "10.1.2.3", "10.2.3.4", "2001:db8::1", "::2"])),
        "action": draw(st.sampled_from(p.Action)),
        "now": draw(st.sampled_from([at("2026-03-02T09:00"), at("2026-03-03T03:00")])),
        "resource": draw(CLASSES),
    }


def decided(policies: Sequence[p.Policy], known: dict[str, Any]) -> bool:
    decider = Decider(p.PolicySet(tuple(policies), (SECRET, OPEN), (), LOCATIONS))
    return not decider.on or decider.decide(facts(**known)).allowed


SOME = st.lists(POLICIES, max_size=4)


@pytest.mark.slow
@given(SOME, SOME, situations())
@settings(max_examples=500)
def test_no_policy_that_is_added_turns_a_denial_into_an_allowance(
    before: list[p.Policy], added: list[p.Policy], known: dict[str, Any]
) -> None:
    """Where a denial counts, nothing that stands beside it lets the call through; and a denial that is added never allows."""
    active = [q for q in before if not q.disabled]
    denials = [q for q in active if q.effect is p.Effect.DENY]
    if denials and not decided(denials, known) and _denied(denials, known):
        assert not decided([*before, *added], known)
        assert not decided([*added, *before], known)
    if active and not decided(before, known):
        assert not decided([*before, *(replace(q, effect=p.Effect.DENY) for q in added)], known)


def _denied(denials: Sequence[p.Policy], known: dict[str, Any]) -> bool:
    decider = Decider(p.PolicySet(tuple(denials), (SECRET, OPEN), (), LOCATIONS))
    return decider.decide(facts(**known)).policy != ""


@pytest.mark.slow
@given(SOME, situations(), st.sets(st.sampled_from(["department", "clearance", "address", "resource"])))
@settings(max_examples=500)
def test_what_is_not_known_never_allows(
    policies: list[p.Policy], known: dict[str, Any], forgotten: set[str]
) -> None:
    nothing = {"department": "", "clearance": None, "address": "", "resource": None}
    less = {**known, **{name: nothing[name] for name in forgotten}}

    assert decided(policies, known) or not decided(policies, less)


@pytest.mark.slow
@given(SOME, situations())
@settings(max_examples=300)
def test_a_decision_is_what_its_traces_say(policies: list[p.Policy], known: dict[str, Any]) -> None:
    decider = Decider(p.PolicySet(tuple(policies), (SECRET, OPEN), (), LOCATIONS))
    traces = decider.traces(facts(**known))

    denied = any(t.effect is p.Effect.DENY and t.holds is not False for t in traces)
    allowed = any(t.effect is p.Effect.ALLOW and t.holds for t in traces)
    assert decider.decide(facts(**known)).allowed is (allowed and not denied)


@pytest.mark.slow
@given(
    SOME, st.sampled_from(sorted(PERMISSIONS)), st.lists(st.sampled_from(["*", "secret.*", "open.a", "x*"]))
)
@settings(max_examples=300)
def test_a_list_shows_what_may_be_read_one_by_one(
    policies: list[p.Policy], permission: str, held: list[str]
) -> None:
    narrow = p.Classification((Scope.parse("secret.open.*"),), p.Sensitivity.PUBLIC)
    decider = Decider(p.PolicySet(tuple(policies), (narrow, SECRET, OPEN), (), LOCATIONS))
    principal = Principal(
        "ada",
        frozenset({permission}) if "*" in held else frozenset(),
        roles=frozenset("a"),
        scoped={permission: SubjectScope(map(Scope.parse, held))},
    )
    rights = PolicyRights(principal, decider, lambda: "10.1.2.3", lambda: at("2026-03-02T09:00"))
    shown = rights.where(permission)

    for name in ("secret.a", "secret.open.a", "open.a", "open.b", "xx", "other", ":.c:secret.a"):
        assert shown.contains(name) is rights.may(permission, name), name
        assert principal.may(permission, name) or not shown.contains(name), "policies give nothing"


def test_without_policies_grants_decide() -> None:
    assert not PolicyBook().on
    book = PolicyBook()
    book.replace(p.PolicySet((p.Policy("no", p.Effect.DENY, disabled=True),)), 1)
    assert not book.on
    book.replace(p.PolicySet((p.Policy("no", p.Effect.DENY),)), 2)
    assert book.on


def test_credentials_say_more_than_the_policies_know() -> None:
    known = p.CallerFacts("user:ada", "sales", 1)
    decider = Decider(p.PolicySet((), (), (known, p.CallerFacts("*", "", 0))))
    told = decider.facts(Principal("ada", attributes={"department": "ops", "clearance": "4"}), lambda: "")
    assert (told.department, told.clearance) == ("ops", 4)
    told = decider.facts(Principal("ada"), lambda: "")
    assert (told.department, told.clearance) == ("sales", 1)
    told = decider.facts(Principal("bob", attributes={"clearance": "five"}), lambda: "")
    assert (told.department, told.clearance) == ("", None)
    assert decider.facts(Principal("ada", kind="key"), lambda: "").clearance == 0


# -- the tree

WHOLE: dict[str, Any] = {
    "policies": [
        {"name": "all", "effect": "POLICY_EFFECT_ALLOW"},
        {
            "name": "office hours",
            "description": "who and when",
            "effect": "POLICY_EFFECT_DENY",
            "disabled": True,
            "condition": {
                "all_of": {
                    "conditions": [
                        {"negation": {"user_has_role": "admin"}},
                        {"any_of": {"conditions": [{"department_is": "d"}, {"location_is": "office"}]}},
                        {"user_clearance_level": 0},
                        {"resource_sensitivity": "SENSITIVITY_SECRET"},
                        {"user_is_owner": {}},
                        {"action_is": {"actions": ["POLICY_ACTION_READ", "POLICY_ACTION_ADMIN"]}},
                        {"ip_in_range": {"networks": ["10.0.0.0/8", "::1"]}},
                        {"time_between": {"start": "22:00", "end": "24:00", "time_zone": "Europe/Berlin"}},
                        {"day_of_week": {"days": ["DAY_OF_WEEK_SUNDAY"]}},
                        {"resource_has_tag": "pii"},
                    ]
                }
            },
        },
    ],
    "resources": [
        {"scopes": ["secret.*", "*"], "sensitivity": "SENSITIVITY_SECRET", "owner": "role:ops", "tags": ["x"]}
    ],
    "callers": [{"holder": "key:ci", "department": "d", "clearance": 5}],
    "locations": [{"name": "office", "networks": ["10.1.0.0/16"]}],
}


def test_a_tree_becomes_policies() -> None:
    made = policies_of(WHOLE)

    assert [q.name for q in made.policies] == ["all", "office hours"]
    condition = made.policies[1].condition
    assert isinstance(condition, p.All)
    assert condition.conditions[0] == p.Not(p.UserHasRole("admin"))
    assert condition.conditions[7] == p.TimeBetween(time(22), None, BERLIN)
    assert made.classifications[0].scopes == (Scope.parse("secret.*"), Scope.parse("*"))
    assert made.callers == (p.CallerFacts("key:ci", "d", 5),)
    assert policies_of({}) == p.PolicySet()


def changed(path: str, value: Any) -> dict[str, Any]:
    """WHOLE with another value at a place."""
    import copy

    tree: Any = copy.deepcopy(WHOLE)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place = tree
    for part in parents:
        place = place[part]
    place[last] = value
    return tree  # type: ignore[no-any-return]


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"user_has_role": "x"}
    for _ in range(depth):
        made = {"negation": made}
    return made


INNER = "policies/1/condition/all_of/conditions"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("policies/1/name", "all", "policies.policies[1].name"),
        ("policies/1/name", " x", "policies.policies[1].name"),
        ("policies/1/effect", "POLICY_EFFECT_UNSPECIFIED", "policies.policies[1].effect"),
        ("policies/1/effect", None, "policies.policies[1].effect"),
        ("policies/1/unknown", 1, "policies.policies[1]"),
        ("policies/1/condition", {}, "policies.policies[1].condition"),
        ("policies/1/condition", nested(LIMITS.depth), "policies.policies[1].condition" + ".negation" * LIMITS.depth),
        ("policies/1/condition", {"user_has_role": "x", "user_is_owner": {}}, "policies.policies[1].condition"),
        (f"{INNER}", [], "policies.policies[1].condition.all_of.conditions"),
        (f"{INNER}/2", {"user_clearance_level": 6}, "policies.policies[1].condition.all_of.conditions[2].user_clearance_level"),
        (f"{INNER}/6/ip_in_range/networks/0", "10.0.0.1/8", "policies.policies[1].condition.all_of.conditions[6].ip_in_range.networks[0]"),
        (f"{INNER}/7/time_between/start", "8:00", "policies.policies[1].condition.all_of.conditions[7].time_between.start"),
        (f"{INNER}/7/time_between/end", "22:00", "policies.policies[1].condition.all_of.conditions[7].time_between.end"),
        (f"{INNER}/7/time_between/time_zone", "../../etc/passwd", "policies.policies[1].condition.all_of.conditions[7].time_between.time_zone"),
        (f"{INNER}/7/time_between/time_zone", "Mars/Base", "policies.policies[1].condition.all_of.conditions[7].time_between.time_zone"),
        (f"{INNER}/8/day_of_week/days", [], "policies.policies[1].condition.all_of.conditions[8].day_of_week.days"),
        ("resources/0/scopes", [], "policies.resources[0].scopes"),
        ("resources/0/scopes/0", ":.x", "policies.resources[0].scopes[0]"),
        ("resources/0/owner", "ada", "policies.resources[0].owner"),
        ("callers/0/clearance", 6, "policies.callers[0].clearance"),
        ("locations/0/networks", [], "policies.locations[0].networks"),
        ("policies", [{"name": f"n{i}", "effect": "POLICY_EFFECT_ALLOW"} for i in range(LIMITS.policies + 1)], "policies.policies"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_and_its_place_named(path: str, value: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        policies_of(changed(path, value))

    assert refused.value.violations[0].field == place


def test_conditions_are_bounded_in_all() -> None:
    many = {"any_of": {"conditions": [{"user_has_role": "x"}] * 50}}
    with pytest.raises(InvalidRequest, match="more than 40 conditions"):
        policies_of(
            {"policies": [{"name": "x", "effect": "POLICY_EFFECT_ALLOW", "condition": many}]},
            limits=PolicyLimits(conditions=40),
        )
