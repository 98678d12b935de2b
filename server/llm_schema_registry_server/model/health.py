"""How the server and its parts are."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class ComponentStatus(enum.IntEnum):
    """Numbers are those of the wire (ComponentHealth.Status)."""

    UP = 1
    DOWN = 2
    DEGRADED = 3


class HealthStatus(enum.IntEnum):
    """Numbers are those of the wire (HealthCheckResponse.Status). UNHEALTHY: the server should get no traffic."""

    HEALTHY = 1
    DEGRADED = 2
    UNHEALTHY = 3


@dataclass(frozen=True, slots=True)
class Component:
    """One part: its status, a sentence when it is not UP, and facts (sizes, versions). `inside` is for the log alone: where
    the part is, and what its driver says."""

    status: ComponentStatus
    message: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    inside: str = ""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The whole server: `components` by name (`storage`, `workers`, `changes`)."""

    status: HealthStatus
    components: Mapping[str, Component]
    version: str
    at: datetime
