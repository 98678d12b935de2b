"""Schema type -> engine. The one place that names all three. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model.compilation import Compiler
from ..model.schema import SchemaType
from .avro.engine import AvroEngine
from .avro.limits import AvroLimits
from .engine import Engines
from .json_schema.engine import DOCUMENT_BYTES, JsonSchemaEngine
from .json_schema.limits import JsonSchemaLimits
from .protobuf.compiler import NoCompiler
from .protobuf.engine import ProtobufEngine
from .protobuf.limits import ProtobufLimits


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The bounds of every engine; picklable, so that workers get the same."""

    json_schema: JsonSchemaLimits = field(default_factory=JsonSchemaLimits)
    avro: AvroLimits = field(default_factory=AvroLimits)
    protobuf: ProtobufLimits = field(default_factory=ProtobufLimits)


def engines(
    limits: EngineLimits, compiler: Compiler | None = None, *, document_bytes: int = DOCUMENT_BYTES
) -> Engines:
    """All engines. Without a compiler they compare and validate, but cannot parse Protobuf. document_bytes: see JsonSchemaEngine."""
    return {
        SchemaType.JSON: JsonSchemaEngine(limits.json_schema, document_bytes=document_bytes),
        SchemaType.AVRO: AvroEngine(limits.avro),
        SchemaType.PROTOBUF: ProtobufEngine(compiler or NoCompiler(), limits.protobuf),
    }
