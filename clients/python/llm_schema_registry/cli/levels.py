"""Keeps a registration from changing the compatibility level of a subject that is there already."""

from __future__ import annotations

import shlex

from .._sync_client import SchemaRegistry
from ..enums import CompatibilityLevel
from ..errors import LevelMismatch, SubjectNotFound


def keep_level(client: SchemaRegistry, subject: str, level: CompatibilityLevel | None) -> None:
    """Raises LevelMismatch when a level was given that is not the subject's; a new subject may have any."""
    if level is None:
        return
    try:
        client.list_versions(subject, limit=1)
    except SubjectNotFound:
        return
    current = client.get_config(subject).effective.compatibility_level
    if current is None or current is level:
        return
    raise LevelMismatch(
        f"subject {subject!r} has the level {current.name}, which a registration does not change; leave --level out, or "
        f"change it first: schema-registry config set {shlex.quote(subject)} --level {level.name.lower()}",
        metadata={"subject": subject, "current": current.name},
    )
