"""Small makers for the Avro tests."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from llm_schema_engines.formats.avro import AvroEngine
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison

ENGINE = AvroEngine()
DATA = Path(__file__).parents[3].parent / "shared" / "data" / "avro"
"""Third-party vectors, used when they are there."""


def source(schema: Any, *references: ReferencedSchema) -> SchemaSource:
    """A source from a schema value (or bytes)."""
    return SchemaSource(schema if isinstance(schema, bytes) else json.dumps(schema).encode(), references)


def reference(name: str, schema: Any, *references: ReferencedSchema) -> ReferencedSchema:
    content = json.dumps(schema).encode()
    identity = sha256(content + b"".join(r.identity.encode() for r in references)).hexdigest()
    return ReferencedSchema(name, identity, content, references)


def compare(reader: Any, writer: Any) -> Comparison:
    return ENGINE.compare(source(reader), source(writer), CompareOptions())


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}
