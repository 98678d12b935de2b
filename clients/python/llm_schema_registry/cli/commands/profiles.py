"""Commands about profiles: named servers in the configuration file."""

from __future__ import annotations

import dataclasses
import os
from typing import Annotated, Any

import typer

from ..._targets import parse_target
from ..help import sub_group
from ..output import Format, table
from ..profiles import KEYS, ConfigFile, Profile, check_profile, load, save
from ..session import session

profile = sub_group("Keep servers by name in the configuration file.")


def complete_profile(incomplete: str) -> list[str]:
    """Profiles that begin so. Completion has no place for an error: a broken file offers nothing."""
    try:
        return [name for name in load().profiles if name.startswith(incomplete)]
    except ValueError:
        return []


Name = Annotated[str, typer.Argument(metavar="NAME", help="A profile.", autocompletion=complete_profile)]


def _shown(config: ConfigFile, name: str) -> dict[str, Any]:
    """A profile without its token."""
    known = config.profile(name, "the command")
    return {
        "name": name,
        "in_use": name == config.default,
        **{key: getattr(known, key) for key in KEYS if key != "token"},
        "token": "(set)" if known.token else None,
        **({"issuer": known.login.issuer, "client_id": known.login.client_id} if known.login else {}),
    }


@profile.command("list")
def list_(context: typer.Context) -> None:
    """List the profiles; * marks the one in use.

    Example:

    \b
      schema-registry profile list
    """
    config = load()
    rows = [_shown(config, name) for name in config.profiles]
    session(context).output.result(
        rows,
        lambda: (
            table(
                ("", "NAME", "SERVER", "CONTEXT", "OUTPUT", "TIMEOUT", "TOKEN"),
                (
                    (
                        "*" if r["in_use"] else "",
                        r["name"],
                        r["server"],
                        r["context"],
                        r["output"],
                        r["timeout"],
                        r["token"],
                    )
                    for r in rows
                ),
            )
            if rows
            else ["no profiles; make one: schema-registry profile set NAME --server HOST:PORT"]
        ),
    )


@profile.command("set")
def set_(
    context: typer.Context,
    name: Name,
    server: Annotated[
        str | None, typer.Option("--server", "-S", metavar="HOST:PORT", help="Its server.")
    ] = None,
    token: Annotated[str | None, typer.Option("--token", metavar="TOKEN", help="Its token.")] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.001, metavar="SECONDS", help="Its deadline of calls.")
    ] = None,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Its form of results.")] = None,
    scope: Annotated[
        str | None,
        typer.Option("--context", "-c", metavar="CONTEXT", help="Where its subjects are, such as .staging."),
    ] = None,
    ca: Annotated[
        str | None, typer.Option("--ca", metavar="FILE", help="Authorities of TLS to trust.")
    ] = None,
    cert: Annotated[str | None, typer.Option("--cert", metavar="FILE", help="Our certificate there.")] = None,
    key: Annotated[str | None, typer.Option("--key", metavar="FILE", help="The key of it.")] = None,
    clear: Annotated[
        list[str] | None,
        typer.Option("--clear", metavar="KEY", help=f"Forget one of {', '.join(KEYS)}; repeatable."),
    ] = None,
) -> None:
    """Make a profile, or change what is given of it. A token is asked for with --token -.

    Examples:

    \b
      schema-registry profile set dev --server localhost
      schema-registry profile set prod \\
        --server https://registry.example:443 --token -
    """
    config = load()
    for key in clear or ():
        if key not in KEYS:
            raise typer.BadParameter(f"{key!r} is not one of {', '.join(KEYS)}", param_hint="--clear")
    if token == "-":
        token = typer.prompt("Token", hide_input=True, err=True)
    files = {"ca": ca, "cert": cert, "key": key}
    given = {
        "server": server,
        "token": token,
        "timeout": timeout,
        "output": output,
        "context": scope,
        **{name: os.path.abspath(file) for name, file in files.items() if file is not None},
    }
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if server is not None:
        parse_target(server)
    if token is not None or "token" in (clear or ()):
        changes["login"] = None  # whose token it would have been
    new = dataclasses.replace(
        config.profiles.get(name, Profile()), **dict.fromkeys(clear or (), None), **changes
    )
    check_profile(name, new)
    first = not config.profiles and not config.default
    config = dataclasses.replace(
        config, profiles={**config.profiles, name: new}, default=name if first else config.default
    )
    save(config)
    in_use = " and is in use" if config.default == name else ""
    session(context).output.result(_shown(config, name), lambda: [f"profile {name} is set{in_use}"])


@profile.command("use")
def use(context: typer.Context, name: Name) -> None:
    """Let a profile count when none is chosen by --profile or SCHEMA_REGISTRY_PROFILE.

    Example:

    \b
      schema-registry profile use dev
    """
    config = load()
    config.profile(name, "the command")
    config = dataclasses.replace(config, default=name)
    save(config)
    session(context).output.result(_shown(config, name), lambda: [f"profile {name} is in use"])


@profile.command("show")
def show(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A profile; the one in use when left out.", autocompletion=complete_profile
        ),
    ] = "",
) -> None:
    """Show a profile. Its token stays hidden.

    Example:

    \b
      schema-registry profile show dev
    """
    config = load()
    chosen = name or config.default
    if not chosen:
        raise typer.BadParameter("no profile is in use; give a name", param_hint="NAME")
    found = _shown(config, chosen)
    told = {k: v for k, v in found.items() if v not in (None, False)}
    width = max(map(len, ("file", *told)))
    lines = [f"{k:<{width}}  {v}" for k, v in {"file": config.path, **told}.items()]
    session(context).output.result(found, lambda: lines)


@profile.command("remove")
def remove(context: typer.Context, name: Name) -> None:
    """Remove a profile.

    Example:

    \b
      schema-registry profile remove dev
    """
    config = load()
    config.profile(name, "the command")
    left = {n: p for n, p in config.profiles.items() if n != name}
    save(dataclasses.replace(config, profiles=left, default="" if config.default == name else config.default))
    session(context).output.result({"name": name}, lambda: [f"removed profile {name}"])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(profile, name="profile")
