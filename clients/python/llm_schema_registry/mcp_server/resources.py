"""Resources: subjects and versions under `schema-registry://`, as lists, templates and contents."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from ..v1 import schema_registry_pb2 as pb
from .calls import REGISTRY, Registry
from .reading import URI, uri_of
from .tool import time_of, without_empty, word
from .wire import INVALID_PARAMS, Json, ProtocolError, write

PAGE = 100
"""Resources of a page of resources/list, and versions that the resource of a subject lists."""
MOST_URI, MOST_CURSOR = 2000, 4096
"""Characters."""
MIME = {
    pb.SCHEMA_TYPE_JSON: "application/schema+json",
    pb.SCHEMA_TYPE_AVRO: "application/vnd.apache.avro+json",
    pb.SCHEMA_TYPE_PROTOBUF: "text/x-protobuf",
}

TEMPLATES: tuple[Json, ...] = (
    {
        "name": "subject",
        "uriTemplate": URI + "{subject}",
        "description": "A subject: its versions with their states, as JSON. Percent-encode the name.",
        "mimeType": "application/json",
    },
    {
        "name": "version",
        "uriTemplate": URI + "{subject}/versions/{version}",
        "description": "The exact text of a schema. version: latest, an ordinal, a semantic version or a range.",
    },
)


async def listed(registry: Registry, cursor: str) -> Json:
    """The answer of resources/list: a page of subjects. Raises CallFailed."""
    found = await registry.call(
        REGISTRY + "ListSubjects", pb.ListSubjectsRequest(limit=PAGE, page_token=cursor)
    )
    resources = [
        {"uri": uri_of(name), "name": name, "mimeType": "application/json"} for name in found.subjects
    ]
    return {"resources": resources, **without_empty({"nextCursor": found.next_page_token})}


def parsed(uri: object) -> tuple[str, str]:
    """Subject and version of a URI; "" for the subject itself. Raises ProtocolError."""
    if isinstance(uri, str) and len(uri) <= MOST_URI and uri.startswith(URI):
        parts = uri.removeprefix(URI).split("/")
        try:
            names = [unquote_to_bytes(part).decode() for part in parts]
        except UnicodeDecodeError:
            names = []
        if len(names) == 1 and names[0]:
            return names[0], ""
        if len(names) == 3 and names[0] and names[1] == "versions" and names[2]:
            return names[0], names[2]
    raise ProtocolError(
        INVALID_PARAMS, f"uri must be {URI}SUBJECT or {URI}SUBJECT/versions/VERSION, percent-encoded"
    )


async def read(registry: Registry, uri: str) -> Json:
    """The answer of resources/read. Raises ProtocolError and CallFailed."""
    subject, version = parsed(uri)
    if not version:
        text, mime = await _subject(registry, subject), "application/json"
    else:
        answer = await registry.call(
            REGISTRY + "GetSchemaByVersion", pb.GetSchemaByVersionRequest(subject=subject, version=version)
        )
        text = answer.schema.schema_content.decode("utf-8", "replace")
        mime = MIME.get(answer.schema.schema_type, "text/plain")
    return {"contents": [{"uri": uri, "mimeType": mime, "text": text}]}


async def _subject(registry: Registry, subject: str) -> str:
    found = await registry.call(
        REGISTRY + "GetSubjectVersions", pb.GetSubjectVersionsRequest(subject=subject, limit=PAGE)
    )
    versions: list[Any] = [
        without_empty(
            {
                "version": v.version,
                "ordinal": v.ordinal,
                "schema_id": v.schema_id,
                "state": word(pb.SchemaState, v.state),
                "created_at": time_of(v.created_at),
                "uri": uri_of(subject, v.version),
            }
        )
        for v in found.versions
    ]
    return write({"subject": found.subject, "versions": versions, "more": bool(found.next_page_token)})
