"""Who makes a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: its name and its permissions (`schema:read` ...)."""

    name: str
    permissions: frozenset[str] = frozenset()
    anonymous: bool = False
