"""Schemas and versions as a registration would store them, without judging them. Imports whichever server is on the path."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.principal import Actor, Principal
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.creation import change_of_creation, steps_to
from llm_schema_registry_server.registry.ids import new_schema_id
from llm_schema_registry_server.storage.values import NewVersion


def schema(number: int, fields: int = 14) -> bytes:
    """A JSON Schema of about a kilobyte, each of its own; with more fields, a later one."""
    properties = {
        f"field_{n}": {"type": "string", "description": f"Field {n} of {number}."} for n in range(fields)
    }
    order = {"type": "object", "title": f"t{number}", "properties": properties, "required": ["field_0"]}
    return json.dumps(order).encode()


def entry(subject: Subject, ordinal: int, content: bytes, digest: str) -> NewVersion:
    """What a registration would store of a content, as if it had been judged compatible."""
    now = datetime.now(UTC)
    version = SchemaVersion(
        schema_id=new_schema_id(),
        global_id=0,
        identity=digest,
        subject=subject,
        ordinal=ordinal,
        version=SemanticVersion(1, ordinal, 0),
        schema_type=SchemaType.JSON,
        fingerprints=Fingerprints(digest, digest, digest),
        references=(),
        size=len(content),
        level=CompatibilityLevel.BACKWARD,
        state=SchemaState.ACTIVE,
        change_class=ChangeClass.COMPATIBLE,
        description=None,
        tags=("load",),
        metadata={"team": "load"},
        options={},
        created_at=now,
        updated_at=now,
        created_by="load",
        revision=0,
    )
    by = Actor(Principal("load"))
    kept = StoredContent(content, digest, content)
    return NewVersion(version, kept, ("title",), change_of_creation(version, by), steps_to(version, by))
