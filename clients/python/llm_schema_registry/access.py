"""Grants, access policies and why a call is allowed, as frozen values. Times are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .credentials import RoleGrant


@dataclass(frozen=True, slots=True)
class Grant:
    """`holder` ("user:ada", "role:team", "*", "anonymous") has a role on the subjects of a scope.

    `fixed` ones stand in the settings of the server: no call changes them, and who gave them and when is not known.
    """

    holder: str
    role: str
    scope: str
    created_by: str
    created_at: datetime | None
    fixed: bool


@dataclass(frozen=True, slots=True)
class AccessPolicies:
    """The access policies as JSON (the form of AccessPolicies in the protos), their version, and who set them when.

    Version 0 stands for none: then nobody has ever set any.
    """

    policies: Mapping[str, Any]
    version: int
    set_by: str
    set_at: datetime | None


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """What a policy says of a call: its `effect` is "ALLOW" or "DENY"; `holds` is None when it cannot be told whether its condition does."""

    name: str
    effect: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class AccessExplanation:
    """Whether a call is allowed and why: `granted` tells whether roles and grants give the permission, and `grants` which; `policy` is
    the one that decided, "" when none did; `traces` have what each policy says; `resource` is what is known of the subject (JSON).

    `policies_version` is 0 when policies were tried that are not in force, or when there are none.
    """

    allowed: bool
    reason: str
    granted: bool
    grants: tuple[RoleGrant, ...]
    policy: str
    traces: tuple[PolicyTrace, ...]
    resource: Mapping[str, Any]
    policies_version: int
