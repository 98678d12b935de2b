"""The languages of the schema types that fixes are looked for in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.schema import SchemaType
from .avro import AvroLanguage
from .json_schema import JsonSchemaLanguage
from .language import Language
from .protobuf import ProtobufLanguage

LANGUAGES: Mapping[SchemaType, Language[Any]] = {
    SchemaType.JSON: JsonSchemaLanguage(),
    SchemaType.AVRO: AvroLanguage(),
    SchemaType.PROTOBUF: ProtobufLanguage(),
}
