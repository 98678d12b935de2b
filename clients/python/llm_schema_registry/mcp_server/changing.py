"""Tools that change something: register_draft, delete_schema."""

from __future__ import annotations

from ..v1 import lifecycle_pb2
from ..v1 import schema_registry_pb2 as pb
from .arguments import BadArguments
from .calls import LIFECYCLE, REGISTRY, CallFailed
from .checking import check
from .confirmation import LONGEST, SECONDS
from .tool import (
    MOST_ITEMS,
    REFERENCES,
    SCHEMA,
    SCHEMA_TYPE,
    SUBJECT,
    Context,
    Tool,
    content,
    cut,
    flag,
    gives,
    many,
    references,
    schema_type,
    takes,
    text,
    without_empty,
    word,
)
from .wire import Json, write

_PAGE, _MOST_PAGES = 1000, 5
"""Versions of a page, and pages: a subject with more versions is deleted by the command line."""


async def _register(context: Context, arguments: Json) -> Json:
    asked = pb.RegisterSchemaRequest(
        subject=arguments["subject"],
        schema_content=content(arguments["schema"]),
        schema_type=schema_type(arguments["schema_type"]),
        references=references(arguments.get("references", [])),
        tags=arguments.get("tags", []),
        version=arguments.get("version", ""),
        as_draft=True,
        dry_run=arguments["dry_run"],
    )
    if "description" in arguments:
        asked.description = arguments["description"]
    found = await context.registry.call(REGISTRY + "RegisterSchema", asked)
    state = word(pb.SchemaState, found.state)
    where = f"{found.subject} {found.version}"
    if arguments["dry_run"]:
        known = found.schema_id != ""
        summary = f"{'is known already' if known else 'would be registered'} as {where}; nothing was stored"
    elif found.created:
        summary = f"registered {where} in state {state}; somebody who may activate it makes it count"
    else:
        summary = f"{where} holds this schema already, in state {state}"
    verdict, told = await _verdict(context, arguments)
    return {
        "summary": f"{summary}; {verdict}",
        "created": found.created and not arguments["dry_run"],
        **without_empty(
            {
                "subject": found.subject,
                "version": found.version,
                "schema_id": found.schema_id,
                "state": state,
                "change": word(pb.ChangeClass, found.change_class),
                "report": told,
                "warnings": [
                    without_empty(
                        {
                            "rule": w.rule,
                            "pointer": cut(w.pointer, 300),
                            "message": cut(w.message, 300),
                            "hint": cut(w.hint, 300),
                        }
                    )
                    for w in found.warnings[:MOST_ITEMS]
                ],
            }
        ),
    }


async def _verdict(context: Context, arguments: Json) -> tuple[str, Json]:
    """What a check against the released versions says, in words and whole: a draft is stored without one, its activation is not."""
    try:
        told = await check(context, arguments)
    except CallFailed as error:
        return f"compatibility was not checked: {cut(error.message, 300)}", {}
    if told["verdict"] == "YES":
        return "compatible with the released versions", told
    return f"activating it will be refused as it is: {told['summary']}", told


async def _delete(context: Context, arguments: Json) -> Json:
    subject, version, permanent = arguments["subject"], arguments.get("version", ""), arguments["permanent"]
    doomed = await _doomed(context, subject, version, permanent)
    users: list[Json] = []
    if version:
        asked = pb.GetDependentsRequest(schema_id=doomed[0].schema_id, limit=MOST_ITEMS)
        found = await context.registry.call(REGISTRY + "GetDependents", asked)
        users = [{"subject": d.subject, "version": d.version} for d in found.dependencies]
    # All that counts: another version, another state, another kind of deletion is another plan.
    plan = write(
        [subject, version, permanent, [[v.schema_id, v.state, v.HasField("deleted_at")] for v in doomed]]
    )
    caller = context.registry.caller()
    token = arguments.get("confirmation", "")
    names = [v.version for v in doomed]
    told = (
        names
        if len(names) <= MOST_ITEMS
        else [*names[: MOST_ITEMS - 1], f"and {len(names) - MOST_ITEMS + 1} more"]
    )
    how = (
        "for good; it cannot be undone"
        if permanent
        else "softly; it can be undone until it is deleted for good"
    )
    what = f"{subject} {names[0]}" if version else f"all {len(names)} versions of {subject}"
    if not token:
        used = (
            f" Other versions use it ({len(users)} shown): it cannot be deleted for good while they do."
            if users
            else ""
        )
        return {
            "summary": f"nothing is deleted yet. This would delete {what} {how}.{used} If whom you work for wants that, call again with the "
            f"same arguments and this confirmation within {SECONDS} s",
            "deleted": False,
            "versions": told,
            "used_by": users,
            "confirmation": context.confirmations.make(caller, plan),
        }
    if not context.confirmations.good(token, caller, plan):
        raise BadArguments(
            [
                (
                    "/confirmation",
                    "is not good: it was made for other arguments or another caller, it is too old, or what would be deleted has "
                    "changed; nothing was deleted. Call without it to see what would be deleted now",
                )
            ]
        )
    if version:
        await context.registry.call(
            REGISTRY + "DeleteSchema",
            pb.DeleteSchemaRequest(schema_id=doomed[0].schema_id, permanent=permanent),
        )
    else:
        await context.registry.call(
            LIFECYCLE + "DeleteSubject",
            lifecycle_pb2.DeleteSubjectRequest(subject=subject, permanent=permanent),
        )
    return {"summary": f"deleted {what} {how}", "deleted": True, "versions": told}


async def _doomed(context: Context, subject: str, version: str, permanent: bool) -> list[pb.VersionInfo]:
    """The versions that would be deleted. Raises BadArguments when there are none."""
    asked = pb.GetSubjectVersionsRequest(subject=subject, include_deleted=permanent, limit=_PAGE)
    versions: list[pb.VersionInfo] = []
    for _ in range(_MOST_PAGES):
        found = await context.registry.call(REGISTRY + "GetSubjectVersions", asked)
        versions += found.versions
        if not found.next_page_token:
            break
        asked.page_token = found.next_page_token
    else:
        raise BadArguments(
            [("/subject", f"has more than {len(versions)} versions; delete it by `schema-registry delete`")]
        )
    chosen = [v for v in versions if not version or version in (v.version, str(v.ordinal))]
    if not chosen:
        there = ", ".join(v.version for v in versions[-MOST_ITEMS:]) or "none"
        raise BadArguments(
            [
                (
                    "/version",
                    f"must be one exact version or ordinal, and {version!r} is none; there are {there}",
                )
            ]
        )
    return chosen


REGISTER = Tool(
    "register_draft",
    "Store a schema as a draft of the next version, which people may activate, and say whether it is compatible. dry_run: store nothing.",
    takes(
        ("subject", "schema"),
        subject=SUBJECT,
        schema=SCHEMA,
        schema_type=SCHEMA_TYPE,
        references=REFERENCES,
        version=text("1.4.0; empty: derived from the change", 64),
        description=text(most=4096),
        tags=many(text(most=256), maxItems=50),
        dry_run=flag(default=False),
    ),
    gives(
        "created",
        created=flag(), subject=text(), version=text(), schema_id=text(), state=text(), change=text(),
        report={"type": "object"}, warnings=many(),
    ),
    _register,
    changes=True,
)  # fmt: skip
DELETE = Tool(
    "delete_schema",
    "Delete a version, or without version the whole subject, in two steps: the first call deletes nothing, tells what would go and gives a "
    "confirmation; the second one, with it, deletes.",
    takes(
        ("subject",),
        subject=SUBJECT,
        version=text("Exact version or ordinal", 64),
        permanent=flag("Beyond recovery; only what is deleted softly", default=False),
        confirmation=text("From the first call", LONGEST),
    ),
    gives("deleted", deleted=flag(), versions=many(text()), used_by=many(), confirmation=text()),
    _delete,
    changes=True,
    destroys=True,
)
