"""Commands about API keys and tokens, and who the caller is."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import RenderableType

from ..._sync_client import SchemaRegistry
from ...credentials import ApiKey, NewApiKey, RevokedToken, RoleGrant, WhoAmI
from ...errors import ApiKeyNotFound
from ..help import sub_group
from ..output import fields, table
from ..session import Session, session
from ..text import moment

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_SHOWN = 1000

keys = sub_group("Make and manage API keys.")
tokens = sub_group("Revoke tokens before they end.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="The name of a key, or its id.")]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        metavar="ROLE[@SUBJECTS]",
        help="A role such as reader; with @orders.* or @:.staging:* for some subjects only. Repeatable.",
    ),
]
ExpiresIn = Annotated[
    str | None, typer.Option("--expires-in", metavar="TIME", help="Let it end after this: 12h, 90d.")
]


@keys.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is called in lists and records.")],
    role: Roles = None,
    expires_in: ExpiresIn = None,
) -> None:
    """Make an API key. Its secret is shown now and never again; it may do at most what you may.

    Examples:

    \b
      schema-registry keys create ci --role developer --expires-in 90d
      schema-registry keys create orders --role "developer@orders.*"
    """
    if not role:
        raise typer.BadParameter("say what the key may do, such as --role reader", param_hint="--role")
    ends = None if expires_in is None else datetime.now(UTC) + _duration(expires_in, "--expires-in")
    s = session(context)
    with s.registry() as client:
        made = client.create_api_key(name, _grants(role), expires_at=ends)
    _show_new(s, made)


@keys.command("list")
def list_(context: typer.Context) -> None:
    """List the API keys, without their secrets.

    Example:

    \b
      schema-registry keys list
    """
    s = session(context)
    with s.registry() as client:
        page = client.list_api_keys(limit=_MOST_SHOWN)
    s.output.result(
        page,
        lambda: (
            table(
                ("NAME", "ID", "ROLES", "STATE", "EXPIRES", "LAST USED"),
                (
                    (
                        key.name,
                        key.key_id,
                        _roles(key.grants),
                        _state(key),
                        moment(key.expires_at),
                        moment(key.last_used_at),
                    )
                    for key in page
                ),
            )
            if page
            else ["no API keys"]
        ),
    )
    if page.next_page_token:
        s.output.note(f"there are more than {_MOST_SHOWN}; the SDK's iter_api_keys lists them all")


@keys.command("show")
def show(context: typer.Context, what: Key) -> None:
    """Show an API key, without its secret.

    Example:

    \b
      schema-registry keys show ci
    """
    s = session(context)
    with s.registry() as client:
        key = _found(client, what)
    s.output.result(key, lambda: _fields(key))


@keys.command("update")
def update(
    context: typer.Context,
    what: Key,
    role: Roles = None,
    expires_in: ExpiresIn = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="Let it not end.")] = False,
) -> None:
    """Change what an API key may do, or when it ends. --role takes the place of all its roles.

    Example:

    \b
      schema-registry keys update ci --role reader --expires-in 30d
    """
    if not role and expires_in is None and not never_expires:
        raise typer.BadParameter(
            "nothing to change is given", param_hint="--role, --expires-in, --never-expires"
        )
    ends = None if expires_in is None else datetime.now(UTC) + _duration(expires_in, "--expires-in")
    s = session(context)
    with s.registry() as client:
        key = client.update_api_key(
            _found(client, what).key_id,
            grants=_grants(role) if role else None,
            expires_at=ends,
            never_expires=never_expires,
        )
    s.output.result(key, lambda: _fields(key))


@keys.command("disable")
def disable(context: typer.Context, what: Key) -> None:
    """Let an API key count no more, until it is enabled again; on all servers within a second.

    Example:

    \b
      schema-registry keys disable ci
    """
    _switch(session(context), what, enabled=False)


@keys.command("enable")
def enable(context: typer.Context, what: Key) -> None:
    """Let a disabled API key count again.

    Example:

    \b
      schema-registry keys enable ci
    """
    _switch(session(context), what, enabled=True)


@keys.command("rotate")
def rotate(
    context: typer.Context,
    what: Key,
    overlap: Annotated[
        str,
        typer.Option(
            "--overlap", metavar="TIME", help="The secret before counts for so much longer: 1h, 7d."
        ),
    ] = "",
) -> None:
    """Give an API key a new secret, which is shown now and never again. Without --overlap the one before ends at once.

    Example:

    \b
      schema-registry keys rotate ci --overlap 24h
    """
    seconds = _duration(overlap, "--overlap").total_seconds() if overlap else None
    s = session(context)
    with s.registry() as client:
        made = client.rotate_api_key(_found(client, what).key_id, overlap_seconds=seconds)
    _show_new(s, made)


@keys.command("delete")
def delete(
    context: typer.Context,
    what: Key,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an API key for ever.

    Example:

    \b
      schema-registry keys delete ci --yes
    """
    s = session(context)
    with s.registry() as client:
        key = _found(client, what)
        if not yes:
            if not (s.output.stderr.is_terminal and sys.stdin.isatty()):
                raise typer.BadParameter(
                    "deleting a key needs --yes when nobody can be asked", param_hint="--yes"
                )
            if not typer.confirm(f"Delete API key {key.name} for ever?", err=True):
                raise typer.Abort
        client.delete_api_key(key.key_id)
    s.output.result({"key_id": key.key_id, "name": key.name}, lambda: [f"deleted API key {key.name}"])


@tokens.command("revoke")
def revoke(
    context: typer.Context,
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="The token; - reads it from the standard input.")
    ] = "",
    token_id: Annotated[str, typer.Option("--id", metavar="JTI", help="Its claim `jti` instead.")] = "",
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", metavar="TIME", help="When it ends, with --id: 1h, 30d.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who read the list.")] = "",
) -> None:
    """Let a token count no more, on all servers within a second, though it has not ended yet.

    Examples:

    \b
      schema-registry tokens revoke - < token.txt
      schema-registry tokens revoke --id 7c1f-42 --expires-in 1h --reason stolen
    """
    if bool(token) == bool(token_id):
        raise typer.BadParameter("give the token, or its id with --id", param_hint="TOKEN")
    if token_id and expires_in is None:
        raise typer.BadParameter(
            "say when the token ends, such as --expires-in 1h", param_hint="--expires-in"
        )
    if token == "-":
        token = sys.stdin.read(64 * 1024).strip()
    ends = None if expires_in is None else datetime.now(UTC) + _duration(expires_in, "--expires-in")
    s = session(context)
    with s.registry() as client:
        done = client.revoke_token(token, token_id=token_id, expires_at=ends, reason=reason)
    s.output.result(
        done, lambda: [f"revoked token {done.token_id}{f' of {done.principal}' * bool(done.principal)}"]
    )


@tokens.command("list")
def list_tokens(context: typer.Context) -> None:
    """List the tokens that were revoked and would not have ended yet.

    Example:

    \b
      schema-registry tokens list
    """
    s = session(context)
    with s.registry() as client:
        page = client.list_revoked_tokens(limit=_MOST_SHOWN)
    s.output.result(page, lambda: _revoked(page) if page else ["no revoked tokens"])
    if page.next_page_token:
        s.output.note(f"there are more than {_MOST_SHOWN}; the SDK's iter_revoked_tokens lists them all")


def whoami(context: typer.Context) -> None:
    """Show whom the server takes you for, and what you may do.

    Example:

    \b
      schema-registry whoami
    """
    s = session(context)
    with s.registry() as client:
        who = client.who_am_i()
    s.output.result(who, lambda: _who(who))


def _found(client: SchemaRegistry, what: str) -> ApiKey:
    """The key with a name, else the one with an id."""
    named = client.list_api_keys(name=what)
    if named:
        return named[0]
    try:
        return client.get_api_key(what)
    except ApiKeyNotFound as error:
        raise ApiKeyNotFound(
            f"no API key is called {what!r}, nor is that the id of one", metadata=error.metadata
        ) from error


def _switch(s: Session, what: str, *, enabled: bool) -> None:
    with s.registry() as client:
        key = client.update_api_key(_found(client, what).key_id, enabled=enabled)
    s.output.result(key, lambda: [f"API key {key.name} is {'enabled' if enabled else 'disabled'}"])


def _show_new(s: Session, made: NewApiKey) -> None:
    s.output.result(made, lambda: fields([*_pairs(made.key), ("secret", made.secret)]))
    s.output.note("keep the secret now: nobody can read it again")


def _fields(key: ApiKey) -> RenderableType:
    return fields(_pairs(key))


def _pairs(key: ApiKey) -> list[tuple[str, object]]:
    return [
        ("name", key.name),
        ("id", key.key_id),
        ("roles", _roles(key.grants)),
        ("state", _state(key)),
        ("expires", moment(key.expires_at)),
        ("created", f"{moment(key.created_at)} by {key.created_by}"),
        ("last used", moment(key.last_used_at)),
        ("begins with", key.secret_prefix),
        ("until " + moment(key.previous_valid_until), key.previous_secret_prefix),
    ]


def _roles(grants: Sequence[RoleGrant]) -> str:
    return ", ".join(g.role if g.scope in ("", "*") else f"{g.role}@{g.scope}" for g in grants)


def _state(key: ApiKey) -> str:
    if not key.enabled:
        return "disabled"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "enabled"


def _revoked(revoked: Sequence[RevokedToken]) -> RenderableType:
    return table(
        ("TOKEN", "OF", "ENDS", "REVOKED", "BY", "REASON"),
        (
            (t.token_id, t.principal, moment(t.expires_at), moment(t.revoked_at), t.revoked_by, t.reason)
            for t in revoked
        ),
    )


def _who(who: WhoAmI) -> RenderableType:
    return fields(
        [
            ("name", who.name),
            ("kind", "" if who.anonymous else who.kind),
            ("credential", who.credential),
            ("roles", ", ".join(who.roles)),
            ("permissions", ", ".join(who.permissions) or "none that hold everywhere"),
            ("for subjects", _roles(who.grants)),
            ("expires", moment(who.expires_at)),
        ]
    )


def _grants(roles: Sequence[str]) -> list[RoleGrant]:
    parts = [text.partition("@") for text in roles]
    return [RoleGrant(role, scope or "*") for role, _, scope in parts]


def _duration(text: str, option: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None or not int(match[1]):
        raise typer.BadParameter(
            f"{text!r} is no time; write a number above 0 with s, m, h or d", param_hint=option
        )
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(keys, name="keys")
    app.add_typer(tokens, name="tokens")
    app.command()(whoami)
