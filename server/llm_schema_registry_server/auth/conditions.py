"""Conditions of policies as functions: made once, they decide in about a microsecond. Pure.

A condition holds, does not hold, or cannot be told (None), because something that it asks about is not known. What is made of
others follows Kleene's logic of three values: unknown is never turned into a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, tzinfo
from functools import lru_cache, singledispatch
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..model import policy as p

Address = IPv4Address | IPv6Address
Truth = bool | None
"""None: it cannot be told."""


class Facts:
    """What a decision rests on. Of the caller: its roles, the holders that it is, department ("" when it is not known) and clearance
    (None). Of the call: what it does, where it comes from (None: not known) and when (seconds since 1970). Of what it is about:
    its classification, None when nothing is known of it.

    One object serves all decisions of a call: `action`, `now` and `resource` are set for each.
    """

    __slots__ = ("action", "address", "clearance", "department", "holders", "now", "resource", "roles")

    def __init__(
        self,
        *,
        roles: frozenset[str] = frozenset(),
        holders: frozenset[str] = frozenset(),
        department: str = "",
        clearance: int | None = None,
        address: Address | None = None,
        action: p.Action = p.Action.READ,
        now: float = 0.0,
        resource: p.Classification | None = None,
    ) -> None:
        self.roles, self.holders = roles, holders
        self.department, self.clearance = department, clearance
        self.address, self.action, self.now, self.resource = address, action, now, resource


Test = Callable[[Facts], Truth]
Locations = Mapping[str, Sequence[p.Network]]


@lru_cache(maxsize=4096)
def address_of(text: str) -> Address | None:
    """The address that a text has, IPv4 also where it is written inside IPv6 (RFC 4291 2.5.5.2); None for what is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


@singledispatch
def compiled(condition: p.Condition, locations: Locations) -> Test:
    """The condition as a function."""
    raise TypeError(f"{condition!r} is no condition")


@compiled.register
def _(condition: p.UserHasRole, locations: Locations) -> Test:
    role = condition.role
    return lambda facts: role in facts.roles


@compiled.register
def _(condition: p.UserClearanceLevel, locations: Locations) -> Test:
    least = condition.least
    return lambda facts: None if facts.clearance is None else facts.clearance >= least


@compiled.register
def _(condition: p.ResourceSensitivity, locations: Locations) -> Test:
    most = condition.most

    def test(facts: Facts) -> Truth:
        resource = facts.resource
        return None if resource is None or resource.sensitivity is None else resource.sensitivity <= most

    return test


@compiled.register
def _(condition: p.UserIsOwner, locations: Locations) -> Test:
    return lambda facts: None if facts.resource is None else facts.resource.owner in facts.holders


@compiled.register
def _(condition: p.ActionIs, locations: Locations) -> Test:
    actions = condition.actions
    return lambda facts: facts.action in actions


@compiled.register
def _(condition: p.IpInRange, locations: Locations) -> Test:
    return _inside(condition.networks)


@compiled.register
def _(condition: p.LocationIs, locations: Locations) -> Test:
    """An address that is in no network of any location is at none that is known."""
    here = _inside(locations.get(condition.location, ()))
    anywhere = _inside([network for networks in locations.values() for network in networks])
    return lambda facts: here(facts) or (False if anywhere(facts) else None)


@compiled.register
def _(condition: p.TimeBetween, locations: Locations) -> Test:
    start, end, zone = condition.start, condition.end, condition.zone
    over_midnight = end is not None and end < start

    def test(facts: Facts) -> Truth:
        now = _local(facts.now, zone).time()
        if over_midnight:
            return now >= start or _before(now, end)
        return now >= start and _before(now, end)

    return test


@compiled.register
def _(condition: p.DayIs, locations: Locations) -> Test:
    days, zone = frozenset(map(int, condition.days)), condition.zone
    return lambda facts: _local(facts.now, zone).isoweekday() in days


@compiled.register
def _(condition: p.DepartmentIs, locations: Locations) -> Test:
    department = condition.department
    return lambda facts: facts.department == department if facts.department else None


@compiled.register
def _(condition: p.ResourceHasTag, locations: Locations) -> Test:
    tag = condition.tag
    return lambda facts: None if facts.resource is None else tag in facts.resource.tags


@compiled.register
def _(condition: p.All, locations: Locations) -> Test:
    tests = [compiled(inner, locations) for inner in condition.conditions]

    def test(facts: Facts) -> Truth:
        sure = True
        for inner in tests:
            truth = inner(facts)
            if truth is False:
                return False
            sure = sure and truth is True
        return True if sure else None

    return test


@compiled.register
def _(condition: p.Any, locations: Locations) -> Test:
    tests = [compiled(inner, locations) for inner in condition.conditions]

    def test(facts: Facts) -> Truth:
        sure = True
        for inner in tests:
            truth = inner(facts)
            if truth:
                return True
            sure = sure and truth is False
        return False if sure else None

    return test


@compiled.register
def _(condition: p.Not, locations: Locations) -> Test:
    inner = compiled(condition.condition, locations)

    def test(facts: Facts) -> Truth:
        truth = inner(facts)
        return None if truth is None else not truth

    return test


def _inside(networks: Sequence[p.Network]) -> Test:
    """Compares numbers: a look into an ip_network object takes ten times as long."""
    ranges: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for network in networks:
        ranges[network.version].append((int(network.network_address), int(network.broadcast_address)))

    def test(facts: Facts) -> Truth:
        address = facts.address
        if address is None:
            return None
        number = int(address)
        return any(first <= number <= last for first, last in ranges[address.version])

    return test


def _local(now: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(now, zone)


def _before(now: time, end: time | None) -> bool:
    return end is None or now < end
