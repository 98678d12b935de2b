"""Who makes a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: its name and its permissions (`schema:read` ...)."""

    name: str
    permissions: frozenset[str] = frozenset()
    anonymous: bool = False
    expires: float | None = None
    """When what it showed ceases to count, in seconds since 1970; None for never."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and in which call: both are recorded with what was done."""

    principal: Principal
    correlation_id: str = ""

    @property
    def name(self) -> str:
        return self.principal.name

    def may(self, permission: str) -> bool:
        return permission in self.principal.permissions
