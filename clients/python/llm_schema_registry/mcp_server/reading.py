"""Tools that find and tell: search_schemas, get_schema, list_versions, explain_schema, watch_changes."""

from __future__ import annotations

import time
from contextlib import aclosing
from urllib.parse import quote

from google.protobuf.duration_pb2 import Duration

from ..v1 import lifecycle_pb2
from ..v1 import schema_registry_pb2 as pb
from . import slices
from .arguments import BadArguments
from .calls import LIFECYCLE, REGISTRY
from .tool import (
    LIMIT,
    MOST_ITEMS,
    PAGE,
    SUBJECT,
    TYPES,
    VERSION,
    Context,
    Tool,
    cut,
    flag,
    gives,
    integer,
    many,
    shown,
    takes,
    text,
    time_of,
    without_empty,
    word,
)
from .wire import Json

URI = "schema-registry://subjects/"
_BEAT_SECONDS = 1
"""How often a stream that is silent tells where it stands: the least that the registry takes."""


def uri_of(subject: str, version: str = "") -> str:
    """The resource of a subject, or of one of its versions."""
    below = f"/versions/{quote(version, safe='')}" if version else ""
    return URI + quote(subject, safe="") + below


async def version_of(context: Context, arguments: Json) -> pb.SchemaInfo:
    """The version that `schema_id`, or `subject` and `version`, mean. Raises BadArguments and CallFailed."""
    registry = context.registry
    schema_id, subject = arguments.get("schema_id", ""), arguments.get("subject", "")
    if bool(schema_id) == bool(subject):
        raise BadArguments([("/subject", "give either subject, with version if you like, or schema_id")])
    if schema_id:
        answer = await registry.call(REGISTRY + "GetSchema", pb.GetSchemaRequest(schema_id=schema_id))
    else:
        asked = pb.GetSchemaByVersionRequest(subject=subject, version=arguments["version"])
        answer = await registry.call(REGISTRY + "GetSchemaByVersion", asked)
    found: pb.SchemaInfo = answer.schema
    return found


async def _search(context: Context, arguments: Json) -> Json:
    asked = pb.SearchSchemasRequest(
        tags=arguments.get("tags", []),
        limit=arguments["limit"],
        page_token=arguments.get("page_token", ""),
        latest_only=not arguments["all_versions"],
    )
    if query := arguments.get("query", ""):
        asked.query = query
    if pattern := arguments.get("subject_pattern", ""):
        asked.subject_pattern = pattern
    if kind := arguments.get("schema_type", ""):
        asked.schema_type = pb.SchemaType.Value(f"SCHEMA_TYPE_{kind}")
    found = await context.registry.call(REGISTRY + "SearchSchemas", asked)
    total = found.total_count
    summary = f"{total} found, {len(found.schemas)} shown" if total else "nothing found"
    if found.did_you_mean:
        summary += f"; did you mean {found.did_you_mean}?"
    return {
        "summary": summary,
        "schemas": [shown(s) for s in found.schemas],
        "total": total,
        **without_empty({"next_page_token": found.next_page_token}),
    }


async def _get(context: Context, arguments: Json) -> Json:
    info = await version_of(context, arguments)
    pointer, most = arguments["pointer"], arguments["max_bytes"]
    uri = uri_of(info.subject, info.version)
    head: Json = {**shown(info), "uri": uri, "pointer": pointer}
    where = f"{info.subject} {info.version}"
    content = info.schema_content
    try:
        if info.schema_type == pb.SCHEMA_TYPE_PROTOBUF or len(content) > slices.MOST_PARSED:
            raise slices.NotJson("is no JSON, or large")
        found = await slices.looked_into(content, slices.sliced, pointer, most)
    except slices.NoSuchPart as error:
        there = ", ".join(error.there[:20]) or "nothing below it"
        raise BadArguments([("/pointer", f"leads nowhere; there are {there}")]) from error
    except slices.NotJson as error:
        if pointer:
            raise BadArguments(
                [
                    (
                        "/pointer",
                        f"this schema cannot be cut by pointer (it {str(error)[:80]}); read {uri} for all of it",
                    )
                ]
            ) from error
        whole = content.decode("utf-8", "replace")
        part = whole[:most]
        rest = (
            f", the first {len(part)} of {len(whole)} characters; read {uri} for all" if part != whole else ""
        )
        return {
            "summary": f"{where}: its text{rest}", **head, "schema": part, "bytes": len(content),
            "truncated": part != whole,
        }  # fmt: skip
    if found.parts is not None:
        what = pointer or "the whole"
        return {
            "summary": f"{where}: {what} has {found.bytes} bytes, more than max_bytes; here are its parts, ask for one",
            **head,
            "parts": list(found.parts),
            "bytes": found.bytes,
            "truncated": True,
        }
    return {
        "summary": f"{where}: {pointer or 'the whole schema'}",
        **head,
        "schema": found.value,
        "bytes": found.bytes,
        "truncated": False,
    }


async def _versions(context: Context, arguments: Json) -> Json:
    asked = pb.GetSubjectVersionsRequest(
        subject=arguments["subject"],
        include_deleted=arguments["include_deleted"],
        limit=arguments["limit"],
        page_token=arguments.get("page_token", ""),
    )
    found = await context.registry.call(REGISTRY + "GetSubjectVersions", asked)
    versions = [
        without_empty(
            {
                "version": v.version,
                "ordinal": v.ordinal,
                "schema_id": v.schema_id,
                "state": word(pb.SchemaState, v.state),
                "change": word(pb.ChangeClass, v.change_class),
                "created_at": time_of(v.created_at),
                "deleted": True if v.HasField("deleted_at") else None,
            }
        )
        for v in found.versions
    ]
    newest = f", the last of them {versions[-1]['version']}" if versions else ""
    more = "; there are more" if found.next_page_token else ""
    return {
        "summary": f"{len(versions)} versions of {arguments['subject']}{newest}{more}",
        "versions": versions,
        **without_empty({"next_page_token": found.next_page_token}),
    }


async def _explain(context: Context, arguments: Json) -> Json:
    info = await version_of(context, arguments)
    call, id_ = context.registry.call, info.id
    used = await call(
        REGISTRY + "GetDependencies", pb.GetDependenciesRequest(schema_id=id_, limit=MOST_ITEMS)
    )
    users = await call(REGISTRY + "GetDependents", pb.GetDependentsRequest(schema_id=id_, limit=MOST_ITEMS))
    past = await call(
        LIFECYCLE + "GetSchemaHistory", lifecycle_pb2.GetSchemaHistoryRequest(schema_id=id_, limit=MOST_ITEMS)
    )
    fields: list[Json] = []
    if info.schema_type != pb.SCHEMA_TYPE_PROTOBUF and len(info.schema_content) <= slices.MOST_PARSED:
        try:
            fields = await slices.looked_into(info.schema_content, slices.fields_of)
        except slices.NotJson:
            fields = []
    told = fields[:MOST_ITEMS]
    state = word(pb.SchemaState, info.state)
    kind = word(pb.SchemaType, info.schema_type)
    required = sum(1 for f in fields if f["required"])
    about = f"; {len(fields)} fields, {required} required" if fields else ""
    others = len(users.dependencies)
    used_by = f"; {others}{' or more' if users.next_page_token else ''} versions use it" if others else ""
    return {
        "summary": f"{info.subject} {info.version} is a {kind} schema in state {state}{about}{used_by}",
        **shown(info),
        "level": word(pb.CompatibilityLevel, info.compatibility_level),
        "fields": told,
        "more_fields": len(fields) - len(told),
        "uses": [_dependency(d) for d in used.dependencies],
        "used_by": [_dependency(d) for d in users.dependencies],
        "history": [
            without_empty(
                {
                    "to": word(pb.SchemaState, t.to_state),
                    "by": cut(t.actor, 100),
                    "at": time_of(t.at),
                    "reason": cut(t.reason, 200),
                }
            )
            for t in past.transitions
        ],
    }


def _dependency(found: pb.DependencyInfo) -> Json:
    return without_empty({"subject": found.subject, "version": found.version, "name": cut(found.name, 200)})


async def _watch(context: Context, arguments: Json) -> Json:
    seconds = min(arguments["wait_seconds"], context.wait_seconds)
    asked = pb.StreamRequest(
        subjects=arguments.get("subjects", []),
        from_revision=arguments.get("from_revision", ""),
        heartbeat_interval=Duration(seconds=_BEAT_SECONDS),
    )
    revision, events, most = asked.from_revision, [], arguments["limit"]
    beats = 0
    end = time.monotonic() + seconds
    async with aclosing(context.registry.changes(asked)) as changes:
        async for event in changes:
            revision = event.revision or revision
            if event.heartbeat:
                beats += 1
            else:
                events.append(_event(event))
            # The first heartbeat says that the stream stands, and comes before what has happened since from_revision; a later one that
            # for now there is no more: what has come is told without waiting on.
            quiet = event.heartbeat and (beats > 1 or not asked.from_revision)
            if len(events) >= most or (quiet and (events or time.monotonic() >= end)):
                break
    what = f"{len(events)} changes" if events else "nothing has changed"
    return {
        "summary": f"{what}; go on with from_revision {revision or 'as before'}",
        "events": events,
        "revision": revision,
    }


def _event(event: pb.SchemaChangeEvent) -> Json:
    return without_empty(
        {
            "type": word(pb.EventType, event.event_type),
            "subject": event.subject,
            "version": event.version,
            "schema_id": event.schema_id,
            "by": event.changed_by,
            "at": time_of(event.timestamp),
            "revision": event.revision,
        }
    )


SEARCH = Tool(
    "search_schemas",
    "Find schemas by words, name pattern, type or tag: of each subject the latest version. Without arguments: all.",
    takes(
        query=text("Words in names, descriptions and schemas", 500),
        subject_pattern=text("Name with * and ?", 255),
        schema_type=text(enum=list(TYPES)),
        tags=many(text(most=256), maxItems=20),
        all_versions=flag("Drafts and earlier versions too", default=False),
        limit=LIMIT,
        page_token=PAGE,
    ),
    gives("schemas", "total", schemas=many(), total=integer(), next_page_token=text()),
    _search,
)
GET = Tool(
    "get_schema",
    "Read a schema, or only the part at a JSON pointer. What is larger than max_bytes comes as a list of its parts to ask for.",
    takes(
        subject=SUBJECT,
        version=VERSION,
        schema_id=text("Instead of subject", 64),
        pointer=text("Such as /properties/total or /$defs/Item; empty: all", 2000, default=""),
        max_bytes=integer(minimum=100, maximum=65536, default=8000),
    ),
    gives(
        "subject", "version", "schema_id", "truncated", "bytes",
        subject=text(), version=text(), schema_id=text(), state=text(), uri=text(),
        schema={}, parts=many(), bytes=integer(), truncated=flag(),
    ),
    _get,
)  # fmt: skip
VERSIONS = Tool(
    "list_versions",
    "The versions of a subject, oldest first, with state and kind of change.",
    takes(("subject",), subject=SUBJECT, include_deleted=flag(default=False), limit=LIMIT, page_token=PAGE),
    gives("versions", versions=many(), next_page_token=text()),
    _versions,
)
EXPLAIN = Tool(
    "explain_schema",
    "What a version is: fields, state and history, compatibility level, what it uses and who uses it.",
    takes(subject=SUBJECT, version=VERSION, schema_id=text("Instead of subject", 64)),
    gives(
        "subject", "version", "fields", "uses", "used_by", "history",
        subject=text(), version=text(), state=text(), level=text(), fields=many(), more_fields=integer(), uses=many(),
        used_by=many(), history=many(),
    ),
    _explain,
)  # fmt: skip
WATCH = Tool(
    "watch_changes",
    "Wait for changes of subjects and return them with the revision to go on from. With from_revision also what happened since then.",
    takes(
        subjects=many(text(most=255), maxItems=50, description="Names with * and ?; none: all"),
        from_revision=text("revision of the last answer; earliest: all that is kept", 200),
        wait_seconds=integer(minimum=0, maximum=60, default=10),
        limit=LIMIT,
    ),
    gives("events", "revision", events=many(), revision=text()),
    _watch,
)
