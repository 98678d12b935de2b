"""Access policies from the tree of texts, lists and objects that the JSON form of schema_registry.v1.AccessPolicies is. Pure.

Everything is bounded before it is looked at closely: PolicyLimits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, time, tzinfo
from enum import IntEnum
from ipaddress import ip_network
from typing import Any as Anything
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import InvalidRequest
from . import policy as p
from .grant import parse_holder
from .scope import Scope

Tree = Mapping[str, Anything]
T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)
_LONGEST_NAME, _LONGEST_TEXT, _MOST_CLEARANCE = 100, 1000, 5


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """The most that a set of policies may have. conditions: of all policies together; depth: of conditions in conditions; items: of a
    list inside a condition, a classification or a location."""

    policies: int = 200
    conditions: int = 1000
    depth: int = 8
    classifications: int = 200
    scopes: int = 500
    callers: int = 1000
    locations: int = 100
    items: int = 100


LIMITS = PolicyLimits()


def policies_of(tree: Tree, field: str = "policies", limits: PolicyLimits = LIMITS) -> p.PolicySet:
    """The policies that a tree tells of. Raises InvalidRequest, which names the place."""
    return _Reader(field, limits).read(tree)


class _Reader:
    def __init__(self, field: str, limits: PolicyLimits) -> None:
        self._field, self._limits = field, limits
        self._conditions = self._scopes = 0

    def read(self, tree: Tree) -> p.PolicySet:
        root = _Place(self._field, tree)
        limits = self._limits
        locations = dict(root.each("locations", limits.locations, self._location))
        policies = tuple(root.each("policies", limits.policies, self._policy))
        _demand_distinct([policy.name for policy in policies], f"{self._field}.policies", "name")
        made = p.PolicySet(
            policies,
            tuple(root.each("resources", limits.classifications, self._classification)),
            tuple(root.each("callers", limits.callers, _caller)),
            locations,
        )
        root.end()
        return made

    def _policy(self, place: _Place) -> p.Policy:
        condition = place.inner("condition")
        made = p.Policy(
            name=place.name("name"),
            effect=place.member("effect", p.Effect, "POLICY_EFFECT_"),
            condition=None if condition is None else self._condition(condition, 1),
            description=place.text("description", _LONGEST_TEXT),
            disabled=place.flag("disabled"),
        )
        place.end()
        return made

    def _classification(self, place: _Place) -> p.Classification:
        scopes = tuple(place.texts("scopes", self._limits.items, Scope.parse))
        self._scopes += len(scopes)
        if not scopes:
            raise place.wrong("scopes", "names no subjects; write '*' for all")
        if self._scopes > self._limits.scopes:
            raise place.wrong("scopes", f"makes more than {self._limits.scopes} scopes in all")
        owner = place.text("owner", _LONGEST_TEXT)
        made = p.Classification(
            scopes,
            place.optional_member("sensitivity", p.Sensitivity, "SENSITIVITY_"),
            parse_holder(owner, place.path("owner")) if owner else "",
            frozenset(place.texts("tags", self._limits.items, _named)),
        )
        place.end()
        return made

    def _location(self, place: _Place) -> tuple[str, tuple[p.Network, ...]]:
        made = place.name("name"), self._networks(place)
        place.end()
        return made

    def _networks(self, place: _Place) -> tuple[p.Network, ...]:
        found = tuple(place.texts("networks", self._limits.items, _network))
        if not found:
            raise place.wrong("networks", "names no network, such as 10.0.0.0/8 or 2001:db8::/32")
        return found

    def _condition(self, place: _Place, depth: int) -> p.Condition:
        self._conditions += 1
        if self._conditions > self._limits.conditions:
            raise place.wrong("", f"there are more than {self._limits.conditions} conditions in all")
        if depth > self._limits.depth:
            raise place.wrong("", f"conditions are nested more than {self._limits.depth} deep")
        kinds = [kind for kind in place.tree if kind in _KINDS]
        if len(kinds) != 1:
            raise place.wrong("", f"must have just one of {', '.join(_KINDS)}")
        made = _KINDS[kinds[0]](self, place, kinds[0], depth)
        place.end()
        return made

    def _several(self, place: _Place, kind: str, depth: int) -> tuple[p.Condition, ...]:
        inner = place.demanded(kind)
        found = tuple(
            inner.each("conditions", self._limits.items, lambda each: self._condition(each, depth + 1))
        )
        if not found:
            raise inner.wrong("conditions", "must not be empty")
        inner.end()
        return found

    def _time_between(self, place: _Place, kind: str, depth: int) -> p.Condition:
        inner = place.demanded(kind)
        start, end = inner.text("start", 5), inner.text("end", 5)
        made = p.TimeBetween(
            _time(start, inner.path("start")),
            None if end == "24:00" else _time(end, inner.path("end")),
            _zone(inner.text("time_zone", _LONGEST_NAME), inner.path("time_zone")),
        )
        if made.start == made.end:
            raise inner.wrong("end", "must not be the start; for the whole day leave the condition out")
        inner.end()
        return made

    def _day_of_week(self, place: _Place, kind: str, depth: int) -> p.Condition:
        inner = place.demanded(kind)
        made = p.DayIs(
            inner.members("days", p.DayOfWeek, "DAY_OF_WEEK_"),
            _zone(inner.text("time_zone", _LONGEST_NAME), inner.path("time_zone")),
        )
        inner.end()
        return made

    def _action_is(self, place: _Place, kind: str, depth: int) -> p.Condition:
        inner = place.demanded(kind)
        made = p.ActionIs(inner.members("actions", p.Action, "POLICY_ACTION_"))
        inner.end()
        return made

    def _ip_in_range(self, place: _Place, kind: str, depth: int) -> p.Condition:
        inner = place.demanded(kind)
        made = p.IpInRange(self._networks(inner))
        inner.end()
        return made

    def _is_owner(self, place: _Place, kind: str, depth: int) -> p.Condition:
        place.demanded(kind).end()
        return p.UserIsOwner()


_Kind = Callable[[_Reader, "_Place", str, int], p.Condition]


def _not(reader: _Reader, place: _Place, kind: str, depth: int) -> p.Condition:
    return p.Not(reader._condition(place.demanded(kind), depth + 1))


_KINDS: Mapping[str, _Kind] = {
    "user_has_role": lambda r, place, kind, depth: p.UserHasRole(place.name(kind)),
    "user_clearance_level": lambda r, place, kind, depth: p.UserClearanceLevel(place.clearance(kind)),
    "resource_sensitivity": lambda r, place, kind, depth: p.ResourceSensitivity(
        place.member(kind, p.Sensitivity, "SENSITIVITY_")
    ),
    "user_is_owner": _Reader._is_owner,
    "action_is": _Reader._action_is,
    "ip_in_range": _Reader._ip_in_range,
    "time_between": _Reader._time_between,
    "day_of_week": _Reader._day_of_week,
    "department_is": lambda r, place, kind, depth: p.DepartmentIs(place.name(kind)),
    "resource_has_tag": lambda r, place, kind, depth: p.ResourceHasTag(place.name(kind)),
    "location_is": lambda r, place, kind, depth: p.LocationIs(place.name(kind)),
    "all_of": lambda r, place, kind, depth: p.All(r._several(place, kind, depth)),
    "any_of": lambda r, place, kind, depth: p.Any(r._several(place, kind, depth)),
    "negation": _not,
}
"""The kinds of condition, by the names of the wire."""


class _Place:
    """An object of the tree, and where it stands. `end` refuses what nobody has asked for."""

    def __init__(self, where: str, tree: Anything) -> None:
        self._where = where
        if not isinstance(tree, Mapping):
            raise InvalidRequest(where, "must be an object")
        self.tree: Tree = tree
        self._asked: set[str] = set()

    def path(self, name: str) -> str:
        return f"{self._where}.{name}" if name else self._where

    def wrong(self, name: str, why: str) -> InvalidRequest:
        return InvalidRequest(self.path(name), why)

    def end(self) -> None:
        unknown = [name for name in self.tree if name not in self._asked]
        if unknown:
            raise self.wrong("", f"has no field {str(unknown[0])[:80]!r}")

    def text(self, name: str, longest: int) -> str:
        value = self._value(name, "")
        if not isinstance(value, str) or len(value) > longest or not (value.isprintable() or "\n" in value):
            raise self.wrong(name, f"must be a printable text of at most {longest} characters")
        return value

    def name(self, name: str) -> str:
        return _named(self.text(name, _LONGEST_NAME), self.path(name))

    def flag(self, name: str) -> bool:
        value = self._value(name, False)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def clearance(self, name: str) -> int:
        value = self._value(name, None)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_CLEARANCE:
            raise self.wrong(name, f"must be 0 to {_MOST_CLEARANCE}")
        return value

    def member(self, name: str, kind: type[E], prefix: str) -> E:
        return self._member(self._value(name, None), self.path(name), kind, prefix)

    def optional_member(self, name: str, kind: type[E], prefix: str) -> E | None:
        value = self._value(name, None)
        if value in (None, f"{prefix}UNSPECIFIED"):
            return None
        return self._member(value, self.path(name), kind, prefix)

    def members(self, name: str, kind: type[E], prefix: str) -> frozenset[E]:
        values = self._list(name, len(kind) * 2)
        if not values:
            raise self.wrong(name, "must not be empty")
        return frozenset(
            self._member(value, f"{self.path(name)}[{i}]", kind, prefix) for i, value in enumerate(values)
        )

    def texts(self, name: str, most: int, parse: Callable[[str, str], T]) -> Sequence[T]:
        found = []
        for i, value in enumerate(self._list(name, most)):
            where = f"{self.path(name)}[{i}]"
            if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
                raise InvalidRequest(where, "must be a text")
            found.append(parse(value, where))
        return found

    def each(self, name: str, most: int, read: Callable[[_Place], T]) -> Sequence[T]:
        items = self._list(name, most)
        return [read(_Place(f"{self.path(name)}[{i}]", item)) for i, item in enumerate(items)]

    def inner(self, name: str) -> _Place | None:
        value = self._value(name, None)
        return None if value is None else _Place(self.path(name), value)

    def demanded(self, name: str) -> _Place:
        return _Place(self.path(name), self._value(name, None))

    def has(self, name: str) -> bool:
        self._asked.add(name)
        return self.tree.get(name) is not None

    def _list(self, name: str, most: int) -> Sequence[Anything]:
        value = self._value(name, ())
        if not isinstance(value, list | tuple):
            raise self.wrong(name, "must be a list")
        if len(value) > most:
            raise self.wrong(name, f"has {len(value)} items; the limit is {most}")
        return value

    def _value(self, name: str, default: Anything) -> Anything:
        self._asked.add(name)
        value = self.tree.get(name)
        return default if value is None else value

    def _member(self, value: Anything, where: str, kind: type[E], prefix: str) -> E:
        found = kind.__members__.get(value.removeprefix(prefix)) if isinstance(value, str) else None
        if found is None:
            names = ", ".join(prefix + name for name in kind.__members__)
            raise InvalidRequest(where, f"must be one of {names}")
        return found


def _caller(place: _Place) -> p.CallerFacts:
    holder = parse_holder(place.text("holder", _LONGEST_TEXT), place.path("holder"))
    made = p.CallerFacts(
        holder,
        place.text("department", _LONGEST_NAME),
        place.clearance("clearance") if place.has("clearance") else None,
    )
    place.end()
    return made


def _named(text: str, where: str) -> str:
    if not 0 < len(text) <= _LONGEST_NAME or not text.isprintable() or text != text.strip():
        raise InvalidRequest(where, f"must be 1 to {_LONGEST_NAME} printable characters")
    return text


def _network(text: str, where: str) -> p.Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise InvalidRequest(
            where, f"{text[:80]!r} is no network, such as 10.0.0.0/8 or 2001:db8::/32"
        ) from error


def _time(text: str, where: str) -> time:
    hours, _, minutes = text.partition(":")
    digits = len(text) == 5 and len(hours) == 2 and text.isascii() and (hours + minutes).isdigit()
    if digits and int(hours) < 24 and int(minutes) < 60:
        return time(int(hours), int(minutes))
    raise InvalidRequest(where, f"{text[:80]!r} is no time of a day, such as 08:00")


def _zone(name: str, where: str) -> tzinfo:
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequest(
            where, f"no time zone is called {name[:80]!r}; write one such as Europe/Berlin"
        ) from error


def _demand_distinct(names: Sequence[str], where: str, field: str) -> None:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            raise InvalidRequest(f"{where}[{i}].{field}", f"{name!r} is given twice")
        seen.add(name)
