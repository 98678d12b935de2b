"""What the global options say, and the registry that they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import typer

from .._options import DEFAULT_TARGET, Tls
from .._retry import RetryPolicy
from .._sync_client import SchemaRegistry
from .._targets import parse_target
from ..errors import VersionNotFound
from ..results import SchemaInfo
from .inputs import Target, target
from .logins import Renewing
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
CA_VARIABLE = "SCHEMA_REGISTRY_CA"
CERT_VARIABLE = "SCHEMA_REGISTRY_CERT"
KEY_VARIABLE = "SCHEMA_REGISTRY_KEY"


TlsFiles = tuple[str | None, str | None, str | None]
"""Of the authorities, of the certificate, and of its key."""
NO_FILES: TlsFiles = (None, None, None)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command. `context`: of the subjects that name none; "" is the registry's default context."""

    server: str
    token: str | Callable[[], str] | None = field(repr=False)
    timeout: float
    output: Output
    context: str = ""
    tls: Tls | None = None
    """Authorities to trust and a certificate to show, where the target is one of TLS; None: those of the system, and none."""
    patient: bool = False
    """Whether the timeout was asked for, so that a server that is not there yet is waited for."""
    profile: str = ""
    """The name of the profile that counts; "" for none."""
    server_given: bool = False
    """Whether an option or a variable says which server."""

    @contextmanager
    def registry(self) -> Iterator[SchemaRegistry]:
        """A client, closed at the end.

        A server that accepts no connection is given up after CONNECT_SECONDS, unless a timeout was asked for.
        """
        with SchemaRegistry(
            self.server,
            token=self.token,
            tls=self.tls,
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


def chosen_tls(files: TlsFiles, profile: Profile, server: str) -> Tls | None:
    """What TLS is spoken with, where it is. A certificate and its key come from one place, options or profile. A server that does not
    say otherwise (`http://`) speaks TLS when an authority or a certificate is named. Raises ValueError and OSError."""
    ca, cert, key = files
    if parse_target(server).tls is False:
        if any(files):
            raise ValueError(
                f"{server} is to be reached without TLS, where no certificate counts: write https:// (or grpcs://), or leave out "
                "--ca, --cert and --key"
            )
        return None
    if cert is None and key is None:
        cert, key = profile.cert, profile.key
    ca = ca or profile.ca
    if ca is None and cert is None and key is None:
        return None
    if (cert is None) != (key is None):
        raise ValueError("a certificate needs its key: give --cert and --key together")
    return Tls.from_files(ca, cert, key)


def is_for(profile: Profile, server: str) -> bool:
    """Whether what a profile has to show is for this server: for any, when the profile names none; never without TLS when the profile
    says that there is TLS."""
    if profile.server is None:
        return True
    own, asked = parse_target(profile.server), parse_target(server)
    return set(asked.addresses) <= set(own.addresses) and not (own.tls and not asked.tls)


def token_of(name: str, profile: Profile) -> str | Callable[[], str] | None:
    """The token of a profile; of one that was logged in, what renews it."""
    if profile.login is None or profile.token is None:
        return profile.token
    return Renewing(name)


def chosen_session(
    server: str | None, token: str | None, profile: str | None, timeout: float, files: TlsFiles = NO_FILES
) -> Session:
    """The session of a completion, for which the shell's words have been read but no command runs. files: as they were given."""
    found, config = chosen_profile(profile)
    target = server or found.server or DEFAULT_TARGET
    kept = token_of(profile or config.default, found) if profile or is_for(found, target) else None
    return Session(
        target,
        token or kept,
        timeout,
        Output(Format.TABLE, color=False),
        os.environ.get(CONTEXT_VARIABLE) or found.context or "",
        chosen_tls(files, found, target),
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
