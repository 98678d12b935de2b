"""Calls that judge data and schemas.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from .. import _decode
from .._call import REGISTRY, Batch, Rpc, Unary, unary
from .._encode import Content, Data, number, octets, reference_messages
from ..enums import (
    CompatibilityLevel,
    DataEncoding,
    SchemaType,
)
from ..results import (
    CompatibilityReport,
    SchemaReference,
    SchemaValidationReport,
    ValidationReport,
)
from ..v1 import schema_registry_pb2 as pb


def validate_data(
    schema_id: str,
    data: Data,
    *,
    strict: bool = False,
    encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
    message_name: str = "",
    max_errors: int = 0,
    timeout: float | None = None,
) -> Unary[ValidationReport]:
    """Whether data is valid under a schema, and if not, why. Invalid data is an answer, not an error.

    `strict` also refuses what the schema does not declare; `message_name` chooses a Protobuf message; `max_errors` 0
    is the server's default. Raises SchemaNotFound.
    """
    request = pb.ValidateDataRequest(
        schema_id=schema_id,
        data=octets(data),
        strict=strict,
        encoding=number(DataEncoding, encoding),
        message_name=message_name,
        max_errors=max_errors,
    )
    return unary(REGISTRY + "ValidateData", pb.ValidationReport, _decode.validation_report, request, timeout)


def validate_schema(
    content: Content,
    schema_type: SchemaType | str = SchemaType.JSON,
    *,
    references: Iterable[SchemaReference] = (),
    timeout: float | None = None,
) -> Unary[SchemaValidationReport]:
    """Whether a schema follows the rules of its type. Nothing is stored."""
    request = pb.ValidateSchemaRequest(
        schema_content=octets(content),
        schema_type=number(SchemaType, schema_type),
        references=reference_messages(references),
    )
    return unary(
        REGISTRY + "ValidateSchema",
        pb.SchemaValidationReport,
        _decode.schema_validation_report,
        request,
        timeout,
    )


def check_compatibility(
    subject: str,
    content: Content,
    *,
    level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
    compare_version: str | int | None = None,
    references: Iterable[SchemaReference] = (),
    schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
    timeout: float | None = None,
) -> Unary[CompatibilityReport]:
    """Whether a schema could become the next version of a subject. Incompatible is an answer, not an error.

    `level` and `schema_type` are the subject's when unspecified. `compare_version` compares with that version only.
    """
    request = pb.CompatibilityCheckRequest(
        subject=subject,
        new_schema=octets(content),
        level=number(CompatibilityLevel, level),
        compare_version=None if compare_version is None else str(compare_version),
        references=reference_messages(references),
        schema_type=number(SchemaType, schema_type),
    )
    return unary(
        REGISTRY + "CheckCompatibility",
        pb.CompatibilityReport,
        _decode.compatibility_report,
        request,
        timeout,
    )


@dataclass(frozen=True, slots=True)
class ValidationItem:
    """One payload of `validate_many`; the fields are the parameters of `validate_data`."""

    schema_id: str
    data: Data
    strict: bool = False
    encoding: DataEncoding | str = DataEncoding.UNSPECIFIED
    message_name: str = ""
    max_errors: int = 0


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One schema of `check_many`; the fields are the parameters of `check_compatibility`."""

    subject: str
    content: Content
    level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED
    compare_version: str | int | None = None
    references: tuple[SchemaReference, ...] = ()
    schema_type: SchemaType | str = SchemaType.UNSPECIFIED


def validate_many(
    *, window: int = 64, timeout: float | None = None
) -> Batch[ValidationItem | tuple[str, Data], ValidationReport]:
    """Validate a stream of payloads: `ValidationItem`s or (schema id, data) pairs. One report for each, in order.

    A report whose `error` is set stands for a request that failed by itself; the others are not touched by it. At
    most `window` items are under way, so memory stays bounded however long the stream is. `timeout` is the longest
    wait for the next report. When the connection breaks, the items without a report are sent again.
    """
    return Batch(
        Rpc(REGISTRY + "BatchValidate", pb.ValidationReport),
        _validation_request,
        lambda answer, index: replace(_decode.validation_report(answer), index=index),
        window,
        timeout,
    )


def check_many(
    *, window: int = 64, timeout: float | None = None
) -> Batch[CheckItem | tuple[str, Content], CompatibilityReport]:
    """Check a stream of schemas: `CheckItem`s or (subject, content) pairs. One report for each, in order.

    `error`, `window`, `timeout` and reconnection as in `validate_many`.
    """
    return Batch(
        Rpc(REGISTRY + "BatchCheckCompatibility", pb.CompatibilityReport),
        _check_request,
        lambda answer, index: replace(_decode.compatibility_report(answer), index=index),
        window,
        timeout,
    )


def _validation_request(item: ValidationItem | tuple[str, Data]) -> Message:
    if isinstance(item, tuple):
        item = ValidationItem(*item)
    return validate_data(
        item.schema_id,
        item.data,
        strict=item.strict,
        encoding=item.encoding,
        message_name=item.message_name,
        max_errors=item.max_errors,
    ).request


def _check_request(item: CheckItem | tuple[str, Content]) -> Message:
    if isinstance(item, tuple):
        item = CheckItem(*item)
    return check_compatibility(
        item.subject,
        item.content,
        level=item.level,
        compare_version=item.compare_version,
        references=item.references,
        schema_type=item.schema_type,
    ).request
