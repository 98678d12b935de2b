"""Commands that log in at a provider of tokens, and out."""

from __future__ import annotations

import dataclasses
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from ..logins import keep, locked
from ..oauth import Client, DevicePrompt, LoginFailed, Provider, Tokens
from ..profiles import Login, Profile, check_profile, load, save
from ..session import Session, session
from ..text import doubtful, moment

SECRET_VARIABLE = "SCHEMA_REGISTRY_CLIENT_SECRET"
FIRST_PROFILE = "default"
"""What the profile is called that a login makes when there is none."""


def login(
    context: typer.Context,
    issuer: Annotated[
        str | None, typer.Option("--issuer", metavar="URL", help="The provider, as its tokens name it.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", metavar="ID", help="What this program is called there.")
    ] = None,
    scope: Annotated[str | None, typer.Option("--scope", metavar="SCOPE", help="What to ask for.")] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="NAME", help="For whom, where the provider asks.")
    ] = None,
    client_secret: Annotated[
        bool,
        typer.Option(
            "--client-secret",
            help=f"Log in as a program, with the secret that is asked for or that {SECRET_VARIABLE} holds.",
        ),
    ] = False,
) -> None:
    """Log in at a provider, and keep the tokens in the profile (--profile NAME, else the one in use). They renew themselves.

    A person opens an address that is shown, on any device, and agrees there; a program shows a secret. What was said once is kept.

    Examples:

    \b
      schema-registry login --issuer https://login.example --client-id cli
      schema-registry login
      schema-registry login --client-id robot --client-secret
    """
    s = session(context)
    name = s.profile or load().default or FIRST_PROFILE
    known = load().profiles.get(name)
    before = known.login if known is not None else None
    at, client_name = issuer or (before and before.issuer), client_id or (before and before.client_id)
    if not at or not client_name:
        raise typer.BadParameter("say where and as whom the first time", param_hint="--issuer, --client-id")
    secret = _secret() if client_secret else None
    same = before is not None and (before.issuer, before.client_id) == (at, client_name)
    kept = before if same and before is not None else Login(at, client_name)
    wanted = dataclasses.replace(
        kept,
        client_secret=secret or (kept.client_secret if not client_secret else None),
        scope=kept.scope if scope is None else scope or None,
        audience=kept.audience if audience is None else audience or None,
    )
    tokens = _tokens(s, wanted)
    with locked():
        config = load()
        profile = config.profiles.get(name)
        if s.server_given and (profile is None or profile.server is None):
            changed = dataclasses.replace(profile or Profile(), server=s.server)
            config = dataclasses.replace(config, profiles={**config.profiles, name: changed})
        made = keep(config, name, tokens, wanted)
    ends = made.login.expires_at if made.login is not None else None
    until = None if ends is None else datetime.fromtimestamp(ends, UTC)
    shown = {"profile": name, "issuer": at, "client_id": client_name, "expires_at": until}
    s.output.result(
        shown, lambda: [f"profile {name} is logged in{f' until {moment(until)}' if until else ''}"]
    )


def logout(context: typer.Context) -> None:
    """Forget the tokens of a profile, and let its refresh token count no more, where the provider can do that.

    Example:

    \b
      schema-registry logout
    """
    s = session(context)
    config = load()
    name = s.profile or config.default
    known = config.profiles.get(name)
    if known is None or (known.login is None and known.token is None):
        raise typer.BadParameter(
            f"profile {name!r} is not logged in" if name else "no profile is in use", param_hint="--profile"
        )
    if known.login is not None and known.login.refresh_token:
        client = Client(known.login.client_id, known.login.client_secret)
        try:
            Provider(known.login.issuer).revoke(client, known.login.refresh_token)
        except LoginFailed as error:
            s.output.note(doubtful(f"warning: the provider could not be told: {error}"))
    with locked():
        config = load()
        known = config.profiles.get(name, known)
        left = known.login and dataclasses.replace(
            known.login, client_secret=None, refresh_token=None, expires_at=None
        )
        new = dataclasses.replace(known, token=None, login=left)
        save(dataclasses.replace(config, profiles={**config.profiles, name: new}))
    s.output.result({"profile": name}, lambda: [f"profile {name} is logged out"])


def _tokens(s: Session, wanted: Login) -> Tokens:
    client = Client(wanted.client_id, wanted.client_secret)
    check_profile("login", Profile(login=wanted))  # before somebody agrees to what cannot be kept
    provider = Provider(wanted.issuer)
    if wanted.client_secret:
        return provider.client_credentials(client, wanted.scope or "", wanted.audience or "")

    def show(prompt: DevicePrompt) -> None:
        # On the standard error in every format: whoever logs in must read it.
        s.output.stderr.print(f"open {prompt.address} and enter the code {prompt.code}", soft_wrap=True)
        if prompt.complete_address:
            s.output.stderr.print(f"or open {prompt.complete_address}", soft_wrap=True)

    return provider.device(client, wanted.scope or "", wanted.audience or "", show)


def _secret() -> str:
    given = os.environ.get(SECRET_VARIABLE)
    if given:
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("Client secret", hide_input=True, err=True))
    text = sys.stdin.readline(10_000).rstrip("\r\n")
    if not text:
        raise typer.BadParameter(
            f"is expected in {SECRET_VARIABLE} or on the standard input", param_hint="--client-secret"
        )
    return text


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(login)
    app.command()(logout)
