"""Converts a schema from one type to another, and documents with it. Pure.

Documents are JSON on both sides: plain JSON for Avro (untagged unions), Protobuf's JSON for Protobuf.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import ConversionRefused, DataRefused, InvalidSchema, UnsupportedSchemaType
from ...model.schema import SchemaType
from ...model.validation import Encoding
from ..avro.engine import AvroEngine
from ..avro.schema.text import InvalidJsonText, read
from ..engine import DataValidator, FormatEngine, SchemaSource
from ..json_schema.engine import JsonSchemaEngine
from .avro_values import AvroDecoder
from .from_avro import read_avro
from .from_json_schema import read_json_schema
from .from_protobuf import read_protobuf
from .json_values import JsonDecoder
from .losses import Loss, Losses
from .model import Model, Value
from .origins import place_in_document, place_in_schema, steps
from .protobuf_values import ProtobufDecoder, ProtobufEncoder
from .to_avro import write_avro
from .to_json_schema import write_json_schema
from .to_protobuf import write_protobuf
from .values import Decoder, Encoder, Json, ValueMismatch, render

Read = Callable[[SchemaSource, Losses, str], Model]
Write = Callable[[Model, Losses], tuple[bytes, Encoder]]

READERS: Mapping[SchemaType, tuple[Read, type[Decoder]]] = {
    SchemaType.JSON: (lambda source, losses, _: read_json_schema(source, losses), JsonDecoder),
    SchemaType.AVRO: (lambda source, losses, _: read_avro(source, losses), AvroDecoder),
    SchemaType.PROTOBUF: (read_protobuf, ProtobufDecoder),
}
WRITERS: Mapping[SchemaType, Write] = {
    SchemaType.JSON: write_json_schema,
    SchemaType.AVRO: write_avro,
    SchemaType.PROTOBUF: write_protobuf,
}
CHECKERS: Mapping[SchemaType, FormatEngine] = {
    SchemaType.JSON: JsonSchemaEngine(),
    SchemaType.AVRO: AvroEngine(),
}


@dataclass(frozen=True, slots=True)
class ConvertedData:
    """A document of the target. `dropped`: pointers of members of the source document that are not declared."""

    payload: bytes
    dropped: tuple[str, ...] = ()


class DataConverter:
    """Converts documents of one schema into documents of what it was converted to. Safe to share between threads."""

    def __init__(
        self, model: Model, decoder: type[Decoder], encoder: Encoder, validator: DataValidator | None
    ) -> None:
        self._model = model
        self._validator = validator
        self._decoder = decoder
        self._encoder = encoder

    def convert(self, payload: bytes) -> ConvertedData:
        """The document for the target; valid there when `payload` is valid under the source.

        Raises DataRefused when it is not, or when it is among what a NARROWED loss covers.
        """
        try:
            value, _, repeated = read(payload)
        except InvalidJsonText as error:
            raise DataRefused("", f"the document is not JSON: {error.message}") from None
        if repeated:
            raise DataRefused("", "an object of the document has the same key twice")
        decoder = self._decoder(self._model)
        try:
            decoded = decoder.decode(self._model.root, value)
        except ValueMismatch as mismatch:
            raise mismatch.refused() from None
        encoder = self._encoder
        try:
            written = (
                encoder.document(decoded)
                if isinstance(encoder, ProtobufEncoder)
                else encoder.encode(self._model.root, decoded)
            )
        except ValueMismatch as mismatch:  # its steps are the model's names
            place = place_in_document(
                self._model, lambda _, member: member.name, steps(render(mismatch.at)), decoded, value
            )
            raise DataRefused(place, mismatch.message) from None
        converted = json.dumps(written, ensure_ascii=False).encode()
        self._check(converted, decoded, value)
        return ConvertedData(converted, tuple(decoder.dropped))

    def _check(self, converted: bytes, decoded: Value, document: Json) -> None:
        """Raises DataRefused where the target enforces what the source does not, such as the pattern of a string.

        `decoded`: the value of the model that was read from `document`.
        """
        if self._validator is None:
            return
        report = self._validator.validate(converted, encoding=Encoding.JSON, max_errors=1)
        if not report.valid:
            error = report.errors[0]
            place = place_in_document(self._model, self._encoder.name, steps(error.path), decoded, document)
            raise DataRefused(place, f"the converted document is not valid under the target: {error.message}")


@dataclass(frozen=True, slots=True)
class Conversion:
    """The schema in the target's language, the losses, and the converter of documents."""

    content: bytes
    losses: tuple[Loss, ...]
    data: DataConverter


def convert(
    source: SchemaSource, source_type: SchemaType, target_type: SchemaType, *, message_name: str = ""
) -> Conversion:
    """Convert a schema that has been parsed before; `message_name` chooses the message of a Protobuf schema.

    Raises ConversionRefused, InvalidSchema, UnsupportedSchemaType.
    """
    for wanted in (source_type, target_type):
        if wanted not in WRITERS:
            raise UnsupportedSchemaType(wanted.name)
    losses = Losses()
    read_model, decoder = READERS[source_type]
    model = read_model(source, losses, message_name)
    content, encoder = WRITERS[target_type](model, losses)
    validator = _validator(target_type, content, model)
    return Conversion(content, losses.report(), DataConverter(model, decoder, encoder, validator))


def _validator(target_type: SchemaType, content: bytes, model: Model) -> DataValidator | None:
    """The validator of the written schema; None for Protobuf, which has to be compiled first (in a worker).

    Raises ConversionRefused when the target's own rules or limits refuse the written schema.
    """
    engine = CHECKERS.get(target_type)
    if engine is None:
        return None
    source = SchemaSource(content)
    try:
        engine.parse(source)
        return engine.compile_validator(source)
    except InvalidSchema as error:
        issue = error.issues[0]
        raise ConversionRefused(
            place_in_schema(model, issue.pointer), f"what would be written is not a valid schema: {issue}"
        ) from None
