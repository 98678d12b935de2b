"""Commands that change what may change about a version, and that take versions away."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ..._sync_client import SchemaRegistry
from ...enums import SchemaState
from ...results import Dependency, StateTransition
from .. import options as o
from ..inputs import Target, pairs
from ..session import Session, resolve_id, session
from ..text import doubtful, moment

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def state(
    context: typer.Context,
    what: o.Versioned,
    new: Annotated[
        SchemaState,
        typer.Argument(
            parser=o.member(SchemaState),
            autocompletion=o.complete_names(SchemaState),
            metavar="STATE",
            help="active, deprecated, archived ...",
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Recorded with the transition.")] = "",
) -> None:
    """Move a version to another state.

    Example:

    \b
      schema-registry state orders@1.0.0 deprecated
    """
    s = session(context)
    with s.registry() as client:
        done = client.update_schema_metadata(resolve_id(client, s.target(what)), state=new, reason=reason)
    s.output.result(done, lambda: [f"{done.subject} {done.version} is {done.state.name}"])


def update(
    context: typer.Context,
    what: o.Versioned,
    description: Annotated[str | None, typer.Option("--description", "-d", help="What it is for.")] = None,
    tag: o.Tags = None,
    meta: o.Metadata = None,
    clear_tags: Annotated[bool, typer.Option("--clear-tags", help="Remove all tags.")] = False,
    clear_meta: Annotated[bool, typer.Option("--clear-meta", help="Remove all metadata.")] = False,
) -> None:
    """Replace the description, the tags or the metadata of a version. Its content never changes.

    Example:

    \b
      schema-registry update orders --tag llm --meta owner=shop
    """
    s = session(context)
    with s.registry() as client:
        done = client.update_schema_metadata(
            resolve_id(client, s.target(what)),
            description=description,
            tags=[] if clear_tags else tag,
            metadata={} if clear_meta else pairs(meta, "--meta") if meta else None,
        )
    s.output.result(done, lambda: [f"updated {done.subject} {done.version}"])


def history(context: typer.Context, what: o.Versioned) -> None:
    """Show the recorded transitions of a version, oldest first.

    Example:

    \b
      schema-registry history orders@1.0.0
    """
    s = session(context)
    with s.registry() as client:
        found = client.get_schema_history(resolve_id(client, s.target(what)))
    s.output.result(found, lambda: [_step(t) for t in found])


def _step(t: StateTransition) -> str:
    change = f"{t.from_state.name} -> {t.to_state.name}" if t.from_state else t.to_state.name
    reason = f" ({t.reason})" if t.reason else ""
    return f"{moment(t.at)} {change}: {t.trigger}{f' by {t.actor}' if t.actor else ''}{reason}"


def delete(
    context: typer.Context,
    what: o.Versioned,
    permanent: Annotated[
        bool, typer.Option("--permanent", help="For ever; needs a delete without it first.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete a version, or without @VERSION the whole subject. It can be undeleted unless --permanent.

    Examples:

    \b
      schema-registry delete orders@1.0.0
      schema-registry delete orders --yes
      schema-registry delete orders@1.0.0 --permanent --yes
    """
    s = session(context)
    aim = s.target(what)
    if permanent or not aim.explicit:
        _confirm(s, aim, permanent=permanent, yes=yes)
    with s.registry() as client:
        if aim.explicit:
            schema_id = resolve_id(client, aim, deleted=permanent)
            users = [] if permanent else _users(client, [schema_id])
            client.delete_schema(schema_id, permanent=permanent)
            deleted = {"subject": aim.subject, "schema_id": schema_id, "permanent": permanent}
            s.output.result(deleted, lambda: [f"deleted {what}{' for ever' if permanent else ''}"])
            _warn(s, what, users)
        else:
            live = [] if permanent else client.get_subject_versions(aim.subject)
            users = _users(client, (v.schema_id for v in reversed(live)), but=aim.subject)
            versions = client.delete_subject(aim.subject, permanent=permanent)
            gone = {"subject": aim.subject, "versions": versions, "permanent": permanent}
            s.output.result(gone, lambda: [f"deleted {aim.subject}: {', '.join(versions) or 'nothing'}"])
            _warn(s, aim.subject, users)


MOST_NAMED = 5
"""Users that a warning names."""


def _users(client: SchemaRegistry, schema_ids: Iterable[str], *, but: str = "") -> list[Dependency]:
    """What uses any of the versions directly, of other subjects than `but`; enough of it to tell that there is more."""
    found: list[Dependency] = []
    for schema_id in schema_ids:
        found += [user for user in client.get_dependents(schema_id) if user.subject != but]
        if len(found) > MOST_NAMED:
            break
    return found


def _warn(s: Session, what: str, users: Sequence[Dependency]) -> None:
    """Says who still refers to what was softly deleted."""
    if not users:
        return
    named = ", ".join(f"{u.subject} {u.version}" for u in users[:MOST_NAMED])
    more = " and more" if len(users) > MOST_NAMED else ""
    s.output.note(
        doubtful(
            f"warning: {named}{more} still {'refers' if len(users) == 1 else 'refer'} to it and can still be read"
        )
    )
    s.output.note(f"hint: `schema-registry undelete {shlex.quote(what)}` brings it back")


def _confirm(s: Session, aim: Target, *, permanent: bool, yes: bool) -> None:
    if yes:
        return
    what = aim.schema_id or (
        f"{aim.subject}@{aim.selector}" if aim.explicit else f"every version of {aim.subject}"
    )
    nobody = typer.BadParameter(f"deleting {what} needs --yes when nobody can be asked", param_hint="--yes")
    if not s.output.stderr.is_terminal:
        raise nobody
    try:
        agreed = typer.confirm(f"Delete {what}{' for ever' if permanent else ''}?", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise nobody from None  # the end of a file or a pipe, where an answer was expected
    if not agreed:
        raise typer.Abort


def undelete(context: typer.Context, what: o.Versioned) -> None:
    """Bring softly deleted versions back, with the same ids and versions: one, or without @VERSION all of a subject.

    Examples:

    \b
      schema-registry undelete orders@1.0.0
      schema-registry undelete orders
      schema-registry undelete 0198c0de-0000-7000-8000-000000000001
    """
    s = session(context)
    aim = s.target(what)
    with s.registry() as client:
        if not aim.explicit:
            _undelete_all(s, client, aim.subject)
            return
        schema_id = resolve_id(client, aim, deleted=True)
        before = client.get_schema(schema_id)
        done = before if before.deleted_at is None else client.undelete_schema(schema_id)
    if before.deleted_at is None:
        s.output.result(done, lambda: [f"{done.subject} {done.version} was not deleted ({done.state.name})"])
    else:
        s.output.result(done, lambda: [f"undeleted {done.subject} {done.version} ({done.state.name})"])


def _undelete_all(s: Session, client: SchemaRegistry, subject: str) -> None:
    deleted = [v for v in client.get_subject_versions(subject, include_deleted=True) if v.deleted_at]
    versions = [client.undelete_schema(v.schema_id).version for v in deleted]
    back = {"subject": subject, "versions": versions}
    said = (
        f"undeleted {subject}: {', '.join(versions)}" if versions else f"no version of {subject} was deleted"
    )
    s.output.result(back, lambda: [said])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(state)
    app.command()(update)
    app.command()(history)
    app.command()(delete)
    app.command()(undelete)
