"""What a tool is, and the pieces that inputSchemas, outputSchemas and answers share.

Each answer begins with `summary`, the verdict in words, and is sent twice with the same content: as structuredContent, and as the
JSON text of it, since many clients show their model only one of the two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..v1 import schema_registry_pb2 as pb
from .calls import Registry
from .confirmation import Confirmations
from .wire import Json, write

MOST_SCHEMA, MOST_DATA = 2_000_000, 4_000_000
"""Characters of a schema and of data in an argument; the registry's own limits may be lower."""
MOST_ITEMS = 20
"""Findings, dependents and the like that an answer tells of; the rest is counted."""
TYPES = ("JSON", "AVRO", "PROTOBUF")


@dataclass(frozen=True, slots=True)
class Context:
    """What a tool works with."""

    registry: Registry
    confirmations: Confirmations
    wait_seconds: float
    """How long a tool may wait for something to happen."""


Run = Callable[[Context, Json], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `run` gets arguments that fit `input`, defaults included. path: the RPC that it is about, whose permission it needs."""

    name: str
    description: str
    input: Json
    output: Json
    run: Run
    changes: bool = False
    destroys: bool = False

    def listed(self) -> Json:
        """The tool as tools/list tells of it."""
        hints: Json = {"readOnlyHint": not self.changes}
        if self.changes:
            hints["destructiveHint"] = self.destroys
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": _brief(self.input),
            "outputSchema": self.output,
            "annotations": hints,
        }


def _brief(schema: Any) -> Any:
    """An inputSchema without the lengths of texts: they are checked, and told where they do not fit, and cost tokens in each list."""
    if isinstance(schema, dict):
        return {name: _brief(one) for name, one in schema.items() if name not in ("maxLength", "minLength")}
    return [_brief(one) for one in schema] if isinstance(schema, list) else schema


def takes(required: Sequence[str] = (), **properties: Json) -> Json:
    """An inputSchema."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def gives(*required: str, **properties: Json) -> Json:
    """An outputSchema; the summary is in each."""
    return {
        "type": "object",
        "properties": {"summary": text(), **properties},
        "required": ["summary", *required],
    }


def text(description: str = "", most: int = 0, **more: Any) -> Json:
    """A text; most: characters of an argument."""
    found: Json = {"type": "string", **more}
    if description:
        found["description"] = description
    if most:
        found["maxLength"] = most
    return found


def integer(description: str = "", **more: Any) -> Json:
    found: Json = {"type": "integer", **more}
    if description:
        found["description"] = description
    return found


def flag(description: str = "", **more: Any) -> Json:
    found: Json = {"type": "boolean", **more}
    if description:
        found["description"] = description
    return found


def many(of: Json | None = None, **more: Any) -> Json:
    """A list; of: its items, objects when None."""
    return {"type": "array", "items": of or {"type": "object"}, **more}


SUBJECT = text("Name of the subject", 255, minLength=1)
VERSION = text("latest, 3, 1.4.0 or ^1.2", 64, default="latest")
SCHEMA: Json = {
    "type": ["object", "boolean", "string"],
    "description": "The schema: JSON, or its exact text",
    "maxLength": MOST_SCHEMA,
}
SCHEMA_TYPE: Json = {"type": "string", "enum": list(TYPES), "default": "JSON"}
REFERENCES = many(
    takes(("name", "subject"), name=text(most=1000), subject=text(most=255), version=text(most=64)),
    maxItems=64,
    description="What the schema imports",
)
LIMIT = integer(minimum=1, maximum=100, default=20)
PAGE = text("page_token of the page before", 4096)


def content(value: Any) -> bytes:
    """A schema as bytes: a text as it is, anything else as compact JSON with its keys in their order."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return write(value).encode("utf-8", "surrogatepass")


def references(given: Sequence[Mapping[str, str]]) -> list[pb.SchemaReference]:
    """The references of an argument."""
    return [
        pb.SchemaReference(name=r["name"], subject=r["subject"], version=r.get("version", "")) for r in given
    ]


def schema_type(name: str) -> pb.SchemaType.ValueType:
    """The value of the enum for a name of TYPES."""
    return pb.SchemaType.Value(f"SCHEMA_TYPE_{name}")


def word(kind: Any, number: int) -> str:
    """The name of a value of an enum as people say it: `ACTIVE` for SCHEMA_STATE_ACTIVE; "" for none."""
    if number == 0:
        return ""
    value = kind.DESCRIPTOR.values_by_number.get(number)
    zero: str = kind.DESCRIPTOR.values_by_number[0].name
    name = str(number) if value is None else str(value.name)
    return name.removeprefix(zero.removesuffix("UNSPECIFIED"))


def without_empty(value: Mapping[str, Any]) -> Json:
    """The members that say something: empty texts, lists and absent values are left out, numbers and booleans stay."""
    return {name: v for name, v in value.items() if v is not None and v != "" and v != [] and v != {}}


def time_of(stamp: Any) -> str:
    """RFC 3339 to the second."""
    return stamp.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ") if stamp.seconds else ""


def first(items: Sequence[Any], most: int = MOST_ITEMS) -> tuple[list[Any], int]:
    """The first items, and how many more there are."""
    return list(items[:most]), max(0, len(items) - most)


def shown(info: pb.SchemaInfo) -> Json:
    """A version without its content."""
    return without_empty(
        {
            "subject": info.subject,
            "version": info.version,
            "ordinal": info.ordinal,
            "schema_id": info.id,
            "schema_type": word(pb.SchemaType, info.schema_type),
            "state": word(pb.SchemaState, info.state),
            "description": info.description[:300],
            "tags": list(info.tags),
        }
    )


def cut(text: str, most: int) -> str:
    """The text, or its beginning."""
    return text if len(text) <= most else text[: most - 1] + "…"
