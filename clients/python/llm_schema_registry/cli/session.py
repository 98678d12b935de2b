"""What the global options say, and the registry that they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import typer

from .._sync_client import SchemaRegistry
from ..errors import VersionNotFound
from ..results import SchemaInfo
from .inputs import Target
from .output import Output

SERVER_VARIABLE = "SCHEMA_REGISTRY_SERVER"
TOKEN_VARIABLE = "SCHEMA_REGISTRY_TOKEN"


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command."""

    server: str
    token: str | None
    timeout: float
    output: Output

    @contextmanager
    def registry(self) -> Iterator[SchemaRegistry]:
        """A client, closed at the end."""
        with SchemaRegistry(self.server, token=self.token, timeout=self.timeout) as client:
            yield client


current: ContextVar[Session] = ContextVar("current")
"""The session of the command that runs, for those who have no typer context: the teller of failures."""


def session(context: typer.Context) -> Session:
    """The session that the global options made."""
    found = context.find_object(Session)
    assert found is not None  # the callback of the app makes it before any command runs
    return found


def resolve(client: SchemaRegistry, aim: Target) -> SchemaInfo:
    """The version that a target names."""
    if aim.schema_id:
        return client.get_schema(aim.schema_id)
    return client.get_schema_by_version(aim.subject, aim.selector)


def resolve_id(client: SchemaRegistry, aim: Target, *, deleted: bool = False) -> str:
    """The id of the version that a target names; with `deleted`, softly deleted versions count too."""
    if aim.schema_id:
        return aim.schema_id
    if not deleted:
        return client.get_schema_by_version(aim.subject, aim.selector).id
    versions = client.get_subject_versions(aim.subject, include_deleted=True)
    for v in versions:
        if aim.selector in (v.version, str(v.ordinal)):
            return v.schema_id
    known = ", ".join(f"{v.ordinal} ({v.version})" for v in versions)
    raise VersionNotFound(f"no version {aim.selector!r} of subject {aim.subject!r}; there are {known}")
