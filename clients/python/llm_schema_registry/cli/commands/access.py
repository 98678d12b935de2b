"""Commands about grants, access policies, and why a call is allowed or refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from ...access import AccessExplanation, Grant
from ..help import sub_group
from ..output import fields, table
from ..session import session
from ..text import moment

_MOST_SHOWN = 1000
_MOST_BYTES = 1 << 20

grants = sub_group("Give roles on some subjects, and take them back.")
policies = sub_group("Read and set the access policies, which narrow what roles and grants allow.")

Holder = Annotated[
    str,
    typer.Argument(
        metavar="HOLDER", help="user:ada, role:team, key:ci, '*' for all who show credentials, or anonymous."
    ),
]
Role = Annotated[
    str,
    typer.Argument(
        metavar="ROLE[@SUBJECTS]", help="A role; with @orders.* or @:.staging:* for some subjects."
    ),
]
PolicyFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Policies as JSON (docs/security.md); - is the standard input.", allow_dash=True
    ),
]


@grants.command("list")
def list_(
    context: typer.Context,
    holder: Annotated[str, typer.Argument(metavar="[HOLDER]", help="Of this holder only.")] = "",
) -> None:
    """List who has which role on which subjects.

    Example:

    \b
      schema-registry grants list
    """
    s = session(context)
    with s.registry() as client:
        page = client.list_grants(holder, limit=_MOST_SHOWN)
    s.output.result(page, lambda: _table(page) if page else ["no grants"])
    if page.next_page_token:
        s.output.note(f"there are more than {_MOST_SHOWN}; the SDK's iter_grants lists them all")


@grants.command("set")
def set_(context: typer.Context, holder: Holder, role: Role) -> None:
    """Give a role on some subjects, on all servers within a second. You give at most what you hold.

    Examples:

    \b
      schema-registry grants set role:team-orders "developer@orders.*"
      schema-registry grants set user:ada reader@:.staging:*
    """
    s = session(context)
    with s.registry() as client:
        given = client.set_grant(holder, *_parts(role))
    s.output.result(given, lambda: [f"{given.holder} has role {given.role} on {given.scope}"])


@grants.command("delete")
def delete(context: typer.Context, holder: Holder, role: Role) -> None:
    """Take a grant back, on all servers within a second.

    Example:

    \b
      schema-registry grants delete user:ada reader@:.staging:*
    """
    name, scope = _parts(role)
    s = session(context)
    with s.registry() as client:
        client.delete_grant(holder, name, scope)
    s.output.result(
        {"holder": holder, "role": name, "scope": scope},
        lambda: [f"took role {name} on {scope} back from {holder}"],
    )


@policies.command("show")
def show(
    context: typer.Context,
    version: Annotated[
        int, typer.Option("--version", help="An older version; the last twenty are kept.")
    ] = 0,
) -> None:
    """Show the access policies as JSON, as `policies set` takes them.

    Example:

    \b
      schema-registry policies show > policies.json
    """
    s = session(context)
    with s.registry() as client:
        found = client.get_policies(version)
    s.output.result(found, lambda: [json.dumps(found.policies, indent=2, ensure_ascii=False)])
    by = f", set by {found.set_by} {moment(found.set_at)}" if found.version else ": none were set yet"
    s.output.note(f"version {found.version}{by}")


@policies.command("set")
def set_policies(
    context: typer.Context,
    file: PolicyFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check them, and set nothing.")] = False,
    expected_version: Annotated[
        int | None, typer.Option("--expected-version", help="Only instead of this one; else of the newest.")
    ] = None,
    allow_lockout: Annotated[
        bool, typer.Option("--allow-lockout", help="Also when they keep you from setting others.")
    ] = False,
) -> None:
    """Set the access policies, all of them, on all servers within a second.

    Example:

    \b
      schema-registry policies set policies.json --dry-run
    """
    tree = _read(file)
    s = session(context)
    with s.registry() as client:
        expected = client.get_policies().version if expected_version is None else expected_version
        version = client.set_policies(
            tree, expected_version=expected, dry_run=dry_run, allow_lockout=allow_lockout
        )
    done = "would be" if dry_run else "are"
    s.output.result(
        {"version": version, "dry_run": dry_run}, lambda: [f"the policies {done} version {version}"]
    )


def explain_access(
    context: typer.Context,
    permission: Annotated[str, typer.Argument(metavar="PERMISSION", help="Such as schema:read.")],
    subject: Annotated[str, typer.Argument(metavar="[SUBJECT]", help="Else the registry as a whole.")] = "",
    holder: Annotated[str, typer.Option("--holder", help="For user:ada and the like; else for you.")] = "",
    role: Annotated[
        list[str] | None, typer.Option("--role", help="A role that the credentials would name. Repeatable.")
    ] = None,
    department: Annotated[str, typer.Option("--department", help="As the credentials would say.")] = "",
    clearance: Annotated[int | None, typer.Option("--clearance", help="0 to 5, likewise.")] = None,
    address: Annotated[str, typer.Option("--address", help="From this IP address.")] = "",
    file: Annotated[
        Path | None, typer.Option("--policies", help="Try these policies instead of those in force.")
    ] = None,
) -> None:
    """Tell why somebody may do something, or may not.

    Example:

    \b
      schema-registry explain-access schema:read payments.card --holder user:ada --role developer
    """
    s = session(context)
    with s.registry() as client:
        found = client.explain_access(
            permission,
            subject,
            holder=holder,
            roles=role or (),
            department=department,
            clearance=clearance,
            address=address,
            policies=None if file is None else _read(file),
        )
    s.output.result(found, lambda: _explained(found))


def _parts(role: str) -> tuple[str, str]:
    name, _, scope = role.partition("@")
    return name, scope or "*"


def _read(file: Path) -> Mapping[str, Any]:
    text = sys.stdin.read(_MOST_BYTES) if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}", param_hint="FILE") from error
    if not isinstance(tree, dict):
        raise typer.BadParameter(f"{file} has no object", param_hint="FILE")
    return tree


def _table(page: Sequence[Grant]) -> RenderableType:
    return table(
        ("HOLDER", "ROLE", "SUBJECTS", "GIVEN", "BY"),
        (
            (g.holder, g.role, g.scope, moment(g.created_at), "the settings" if g.fixed else g.created_by)
            for g in page
        ),
    )


def _explained(found: AccessExplanation) -> RenderableType:
    given = ", ".join(g.role if g.scope == "*" else f"{g.role}@{g.scope}" for g in found.grants)
    states = {True: "holds", False: "does not hold", None: "cannot be told"}
    does = {"ALLOW": "allows", "DENY": "denies"}
    return fields(
        [
            ("allowed", "yes" if found.allowed else "no"),
            ("because", found.reason),
            ("given by", given),
            *((does[t.effect], f"{t.name}: {states[t.holds]}") for t in found.traces),
        ]
    )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(grants, name="grants")
    app.add_typer(policies, name="policies")
    app.command("explain-access")(explain_access)
