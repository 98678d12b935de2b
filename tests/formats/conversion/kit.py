"""What the conversion tests share: the engines, one way to convert, and a check that converted data is valid."""

from __future__ import annotations

import json
from typing import Any

from llm_schema_engines.formats.avro import AvroEngine
from llm_schema_engines.formats.conversion import (
    Conversion,
    DataRefused,
    LossKind,
    convert,
)
from llm_schema_engines.formats.engine import FormatEngine, SchemaSource
from llm_schema_engines.formats.json_schema.engine import JsonSchemaEngine
from llm_schema_engines.formats.protobuf import ProtobufEngine
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from llm_schema_engines.protoc.in_process import InProcessProtoc

JSON, AVRO, PROTOBUF = SchemaType.JSON, SchemaType.AVRO, SchemaType.PROTOBUF
ENGINES: dict[SchemaType, FormatEngine] = {
    JSON: JsonSchemaEngine(),
    AVRO: AvroEngine(),
    PROTOBUF: ProtobufEngine(InProcessProtoc()),
}


def source(kind: SchemaType, schema: Any) -> SchemaSource:
    """A parsed schema, as the registry hands it out; raises InvalidSchema."""
    content = (
        schema
        if isinstance(schema, bytes)
        else schema.encode()
        if isinstance(schema, str)
        else json.dumps(schema).encode()
    )
    parsed = ENGINES[kind].parse(SchemaSource(content))
    return SchemaSource(content, artifact=parsed.artifact)


def accepts(kind: SchemaType, given: SchemaSource, payload: bytes) -> bool:
    return ENGINES[kind].compile_validator(given).validate(payload, encoding=Encoding.JSON).valid


def check_data(conversion: Conversion, target: SchemaType, document: Any) -> Any:
    """The converted document, after the target's validator has accepted it; None when a NARROWED loss refuses it."""
    payload = json.dumps(document).encode()
    given = source(target, conversion.content)
    converted = attempt(conversion, payload)
    if converted is None:
        return None
    report = ENGINES[target].compile_validator(given).validate(converted, encoding=Encoding.JSON)
    assert report.valid, (report, converted, conversion.content.decode())
    return json.loads(converted)


def attempt(conversion: Conversion, payload: bytes) -> bytes | None:
    """The converted payload; None when it is refused, which only a NARROWED loss allows."""
    try:
        return conversion.data.convert(payload).payload
    except DataRefused:
        if not any(loss.kind is LossKind.NARROWED for loss in conversion.losses):
            raise
        return None


def there(kind: SchemaType, schema: Any, target: SchemaType) -> Conversion:
    return convert(source(kind, schema), kind, target)


def losses(conversion: Conversion, *kinds: LossKind) -> set[tuple[LossKind, str]]:
    """Kinds and pointers of the losses, of these kinds or of all."""
    return {(loss.kind, loss.pointer) for loss in conversion.losses if not kinds or loss.kind in kinds}
