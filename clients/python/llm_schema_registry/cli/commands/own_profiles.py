"""The commands about the profiles of a registry: put, delete, and which registered schemas they concern."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from typing import Annotated

import typer
from rich.text import Text

from ...enums import ProfileFit
from ...results import ProfileVerdict
from .. import options as o
from ..inputs import read
from ..session import session

Profile = Annotated[str, typer.Argument(metavar="PROFILE", help="The id of a profile.")]


def put(
    context: typer.Context,
    file: o.File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it.")] = False,
) -> None:
    """Put a profile of your own into the registry, or another version of it. Its file has its id.

    Examples:

    \b
      schema-registry provider put our-gateway.json
      schema-registry provider put our-gateway.json --dry-run
    """
    s = session(context)
    document = read(file).decode("utf-8")
    try:
        name = json.loads(document)["id"]
    except (ValueError, TypeError, KeyError) as error:
        raise typer.BadParameter(f"{file} is no profile: it has no id", param_hint="FILE") from error
    with s.registry() as client:
        done = client.put_profile(str(name), document, dry_run=dry_run)
    changed = "created" if done.created else "replaced" if done.revision or dry_run else "there already"
    what = f"{done.profile.id}, version {done.profile.version}: {'would be ' * dry_run}{changed}"
    s.output.result(done, lambda: [what])


def delete(context: typer.Context, profile: Profile) -> None:
    """Delete a profile of your own from the registry. Subjects that demand it accept no JSON Schema then.

    Example:

    \b
      schema-registry provider delete our-gateway
    """
    s = session(context)
    with s.registry() as client:
        revision = client.delete_profile(profile)
    s.output.result({"profile": profile, "revision": revision}, lambda: [f"deleted {profile}"])


def affected(
    context: typer.Context,
    profile: Profile,
    fit: Annotated[
        ProfileFit,
        typer.Option(
            "--fit",
            parser=o.member(ProfileFit),
            autocompletion=o.complete_names(ProfileFit),
            metavar="FIT",
            help="fits, fits_with_loss, unknown or refused.",
        ),
    ] = ProfileFit.REFUSED,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="Most to list.")] = 1000,
) -> None:
    """List the registered versions that would make a provider refuse the request, or that fit it otherwise.

    Examples:

    \b
      schema-registry provider affected gemini-schema
      schema-registry provider affected openai-strict --fit fits_with_loss
    """
    s = session(context)
    with s.registry() as client:
        complete = client.list_profile_verdicts(profile, fit, limit=1).complete
        for verdict in islice(client.iter_profile_verdicts(profile, fit), limit):
            s.output.item(verdict, partial(_verdict, verdict))
    if not complete:
        s.output.note("not all versions have been judged by this profile yet; ask again in a while")


def _verdict(verdict: ProfileVerdict) -> list[str | Text]:
    why = f"  {verdict.pointer or '(root)'}: {verdict.message}" if verdict.message else ""
    return [f"{verdict.subject}@{verdict.version}{why}"]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(put)
    app.command()(delete)
    app.command()(affected)
