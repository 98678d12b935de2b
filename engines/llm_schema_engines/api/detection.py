"""Which type a schema is of, by the name of its file or by its content. Pure."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from ..errors import InvalidRequest
from ..model.schema import SchemaType
from .arguments import expect

TYPE_OF_SUFFIX = {".json": SchemaType.JSON, ".avsc": SchemaType.AVRO, ".proto": SchemaType.PROTOBUF}
"""The ends of file names that tell a type."""

_AVRO_NAMED = frozenset({"record", "error", "enum", "fixed"})
_AVRO_ONLY = frozenset({"map", "int", "long", "float", "double", "bytes"})
"""What an Avro schema may have as `type` and a JSON Schema may not."""
_JSON_STARTS = (b"{", b"[", b'"')


def detect(content: bytes, name: str = "") -> SchemaType:
    """The type that the end of a file name tells (.json, .avsc, .proto), else the one that the content tells.

    JSON text is Avro when only Avro could mean it (a named type, a union, `map` ...), else JSON Schema; text that does
    not begin like JSON is Protobuf. What both could mean, such as {"type": "string"}, is JSON Schema. Raises
    InvalidRequest for empty content and for a name with another end.
    """
    expect(bytes, content, "content")
    suffix = PurePath(expect(str, name, "name")).suffix.lower()
    if suffix:
        if suffix not in TYPE_OF_SUFFIX:
            known = ", ".join(TYPE_OF_SUFFIX)
            raise InvalidRequest(
                "schema_type", f"{name!r} does not tell the type ({known} do); give schema_type"
            )
        return TYPE_OF_SUFFIX[suffix]
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        raise InvalidRequest("schema_type", "an empty schema does not tell its type; give schema_type")
    if text.startswith(_JSON_STARTS) or text.strip() in (b"true", b"false"):
        return SchemaType.AVRO if _only_avro(_json(text)) else SchemaType.JSON
    return SchemaType.PROTOBUF


def _json(text: bytes) -> Any:
    """The value; None for broken JSON, of which the engine of JSON Schema says what is wrong."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _only_avro(value: Any) -> bool:
    match value:
        case str() | list():
            return True
        case {"type": str(kind)} if kind in _AVRO_ONLY:
            return True
        case {"type": str(kind), "name": str()} if kind in _AVRO_NAMED:
            return True
        case {"type": "array", "items": str()}:
            return True
        case {"type": {"type": _}}:
            return True
    return False
