"""Access policies: what is known of subjects and callers, and conditions under which calls are allowed or denied. Pure.

Policies narrow what roles and grants allow; they give nothing. docs/security.md has their meaning, auth/policies.py decides by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, tzinfo
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network

from .scope import Scope

Network = IPv4Network | IPv6Network


class Sensitivity(IntEnum):
    """How much harm a leak does; the numbers of the wire."""

    PUBLIC = 1
    INTERNAL = 2
    CONFIDENTIAL = 3
    SECRET = 4
    TOP_SECRET = 5


class Action(IntEnum):
    """What a call does; the numbers of the wire."""

    READ = 1
    WRITE = 2
    DELETE = 3
    EXECUTE = 4
    """Validates data or checks compatibility."""
    ADMIN = 5


class DayOfWeek(IntEnum):
    """The numbers of the wire, and of ISO 8601."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


class Effect(IntEnum):
    """What a policy does where its condition holds; the numbers of the wire."""

    ALLOW = 1
    DENY = 2


ACTIONS: Mapping[str, Action] = {
    "schema:read": Action.READ,
    "schema:write": Action.WRITE,
    "schema:delete": Action.DELETE,
    "schema:validate": Action.EXECUTE,
    "subject:read": Action.READ,
    "subject:write": Action.WRITE,
    "subject:delete": Action.DELETE,
    "compatibility:check": Action.EXECUTE,
    "compatibility:config:read": Action.READ,
    "compatibility:config:write": Action.WRITE,
    "admin:access": Action.ADMIN,
    "admin:users": Action.ADMIN,
    "admin:config": Action.ADMIN,
    "metrics:read": Action.READ,
}
"""What a call does that needs a permission."""


@dataclass(frozen=True, slots=True)
class UserHasRole:
    role: str


@dataclass(frozen=True, slots=True)
class UserClearanceLevel:
    """The caller's clearance is at least this, 0 to 5."""

    least: int


@dataclass(frozen=True, slots=True)
class ResourceSensitivity:
    """The subject's sensitivity is at most this."""

    most: Sensitivity


@dataclass(frozen=True, slots=True)
class UserIsOwner:
    """The caller is, or has the role that is, the owner of the subject."""


@dataclass(frozen=True, slots=True)
class ActionIs:
    """One of these."""

    actions: frozenset[Action]


@dataclass(frozen=True, slots=True)
class IpInRange:
    """The caller's address is in one of these networks."""

    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class TimeBetween:
    """From `start` on, before `end`; when `end` is not later, over midnight. end: None is the end of the day."""

    start: time
    end: time | None
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class DayIs:
    """One of these days, in a time zone."""

    days: frozenset[DayOfWeek]
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class DepartmentIs:
    department: str


@dataclass(frozen=True, slots=True)
class ResourceHasTag:
    tag: str


@dataclass(frozen=True, slots=True)
class LocationIs:
    """The caller's address is in a network of the location with this name."""

    location: str


@dataclass(frozen=True, slots=True)
class All:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


Condition = (
    UserHasRole
    | UserClearanceLevel
    | ResourceSensitivity
    | UserIsOwner
    | ActionIs
    | IpInRange
    | TimeBetween
    | DayIs
    | DepartmentIs
    | ResourceHasTag
    | LocationIs
    | All
    | Any
    | Not
)


@dataclass(frozen=True, slots=True)
class Policy:
    """condition: None holds always. A disabled one is kept and does nothing."""

    name: str
    effect: Effect
    condition: Condition | None = None
    description: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Classification:
    """What is known of the subjects in some scopes. sensitivity: None when it is not known. owner: a holder, as grants have them; ""
    for nobody."""

    scopes: tuple[Scope, ...]
    sensitivity: Sensitivity | None = None
    owner: str = ""
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CallerFacts:
    """What is known of a holder, where its credentials do not say it. clearance: None when it is not known."""

    holder: str
    department: str = ""
    clearance: int | None = None


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All of it. Of the classifications the first one with a scope that a subject is in says all that is known of it; of the callers
    the first one that a caller is. locations: networks by the name of the place."""

    policies: tuple[Policy, ...] = ()
    classifications: tuple[Classification, ...] = ()
    callers: tuple[CallerFacts, ...] = ()
    locations: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
