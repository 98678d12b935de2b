"""What the global options say, and the registry that they lead to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import typer

from .._options import DEFAULT_TARGET
from .._retry import RetryPolicy
from .._sync_client import SchemaRegistry
from ..errors import VersionNotFound
from ..results import SchemaInfo
from .inputs import Target, target
from .output import Format, Output
from .profiles import ConfigFile, Profile, load

CONNECT_SECONDS = 1.5
"""How long a server is tried that accepts no connection."""
_CONNECTING = "grpc.min_reconnect_backoff_ms"
"""gRPC's option for how long one attempt to connect may take."""

SERVER_VARIABLE = "SCHEMA_REGISTRY_SERVER"
TOKEN_VARIABLE = "SCHEMA_REGISTRY_TOKEN"
PROFILE_VARIABLE = "SCHEMA_REGISTRY_PROFILE"
OUTPUT_VARIABLE = "SCHEMA_REGISTRY_OUTPUT"
TIMEOUT_VARIABLE = "SCHEMA_REGISTRY_TIMEOUT"
CONTEXT_VARIABLE = "SCHEMA_REGISTRY_CONTEXT"


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command. `context`: of the subjects that name none; "" is the registry's default context."""

    server: str
    token: str | None = field(repr=False)
    timeout: float
    output: Output
    context: str = ""
    patient: bool = False
    """Whether the timeout was asked for, so that a server that is not there yet is waited for."""

    @contextmanager
    def registry(self) -> Iterator[SchemaRegistry]:
        """A client, closed at the end.

        A server that accepts no connection is given up after CONNECT_SECONDS, unless a timeout was asked for.
        """
        with SchemaRegistry(
            self.server,
            token=self.token,
            timeout=self.timeout,
            retry=RetryPolicy(connect=None if self.patient else CONNECT_SECONDS),
            channel_options={} if self.patient else {_CONNECTING: int(CONNECT_SECONDS * 1000)},
        ) as client:
            if self.patient:
                self._tell_of_waiting(client)
            yield client

    def _tell_of_waiting(self, client: SchemaRegistry) -> None:
        """Say once that a server is waited for, when there is none at first."""
        told = False

        def tell() -> None:
            nonlocal told
            if not told:
                told = True
                self.output.note(f"waiting up to {self.timeout:g} s for a registry at {client.target} ...")

        client._transport.on_unreachable = tell

    def subject(self, name: str) -> str:
        """The subject that a name means: `:.context:name` stands for itself, others lie in the context of the session.
        The same for the beginning of a name and for a pattern."""
        return f":{self.context}:{name}" if self.context and not name.startswith(":") else name

    def scope(self, subject: str, context: str) -> tuple[str, str]:
        """Whose settings are meant, as subject and context: a subject, else a context, else, both "", the registry."""
        if subject:
            return self.subject(subject), context
        return "", context or self.context

    def target(self, text: str) -> Target:
        """The version that a text names; see `inputs.target`."""
        aim = target(text)
        return replace(aim, subject=self.subject(aim.subject)) if aim.subject else aim


def chosen_profile(name: str | None, source: str = PROFILE_VARIABLE) -> tuple[Profile, ConfigFile]:
    """The profile of this name, which came from `source`, else the one in use, else an empty one; and the file.

    Raises ConfigFileError.
    """
    config = load()
    if name is not None:
        return config.profile(name, source), config
    if config.default:
        return config.profile(config.default, "its key `profile`"), config
    return Profile(), config


def chosen_session(server: str | None, token: str | None, profile: str | None, timeout: float) -> Session:
    """The session of a completion, for which the shell's words have been read but no command runs."""
    found, _ = chosen_profile(profile)
    return Session(
        server or found.server or DEFAULT_TARGET,
        token or found.token,
        timeout,
        Output(Format.TABLE, color=False),
        os.environ.get(CONTEXT_VARIABLE) or found.context or "",
    )


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
