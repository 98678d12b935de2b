"""Calls that judge data and schemas.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message

from .. import _decode
from .._arguments import described, identifier, integer, selector
from .._call import REGISTRY, Batch, Rpc, Unary, unary
from .._checked import checked
from .._encode import (
    Content,
    Data,
    Reference,
    SchemaId,
    content_bytes,
    data_bytes,
    number,
    reference_messages,
)
from ..enums import (
    CompatibilityLevel,
    DataEncoding,
    SchemaType,
)
from ..results import (
    CompatibilityReport,
    SchemaValidationReport,
    ValidationReport,
)
from ..v1 import schema_registry_pb2 as pb

MISSING: Any = object()
"""Stands for an argument that was not given; None is data (JSON `null`)."""


@checked
def validate_data(
    schema_id: SchemaId | None = None,
    data: Data = MISSING,
    *,
    subject: str = "",
    version: str | int = "latest",
    strict: bool = False,
    encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
    message_name: str = "",
    max_errors: int = 0,
    timeout: float | None = None,
) -> Unary[ValidationReport]:
    """Whether data is valid under a schema, and if not, why. Invalid data is an answer, not an error.

    The schema is named by its id, `validate_data(schema_id, data)`, or by subject and selector,
    `validate_data(subject="llm.answer", version="^1.2", data=data)`; the report says which version was used.
    `data` is text or bytes as they are, a JSON value, or a pydantic model. `strict` also refuses what the schema does
    not declare; `message_name` chooses a Protobuf message; `max_errors` 0 is the server's default (20). Raises
    SchemaNotFound, SubjectNotFound, VersionNotFound.
    """
    request = pb.ValidateDataRequest(
        **schema_fields(schema_id, data, subject, version),
        data=data_bytes(data),
        strict=strict,
        encoding=number(DataEncoding, encoding, "encoding"),
        message_name=message_name,
        max_errors=max_errors,
    )
    return unary(REGISTRY + "ValidateData", pb.ValidationReport, _decode.validation_report, request, timeout)


@checked
def local_validation(
    schema_id: SchemaId | None,
    data: Data,
    *,
    subject: str,
    version: str | int,
    strict: bool,
    encoding: DataEncoding | str,
    message_name: str,
    max_errors: int,
    timeout: float | None,
) -> dict[str, str]:
    """Checks the arguments of `validate_locally`; the fields that name the schema."""
    return schema_fields(schema_id, data, subject, version)


def schema_fields(
    schema_id: SchemaId | None,
    data: Any,
    subject: str,
    version: str | int,
    call: str = "validate_data",
    what: str = "data",
) -> dict[str, str]:
    """The fields that name the schema to validate under; raises TypeError unless one way to name it is used, and for the lack of
    `data`, which is the argument `what` of `call`."""
    if data is MISSING:
        raise TypeError(
            f"{what} is not given; write {call}(schema_id, {what}) or {call}(subject=..., {what}=...)"
        )
    if schema_id is not None and schema_id != "":
        if subject or version != "latest":
            raise TypeError(f"schema_id {str(schema_id)!r} names a version; leave subject and version out")
        return {"schema_id": identifier(schema_id)}
    if not subject:
        raise TypeError("neither schema_id nor subject is given; one of them names the schema")
    return {"subject": subject, "version": selector(version)}


@checked
def validate_schema(
    content: Content,
    schema_type: SchemaType | str = SchemaType.JSON,
    *,
    references: Iterable[Reference] = (),
    timeout: float | None = None,
) -> Unary[SchemaValidationReport]:
    """Whether a schema follows the rules of its type. Nothing is stored."""
    request = pb.ValidateSchemaRequest(
        schema_content=content_bytes(content),
        schema_type=number(SchemaType, schema_type, "schema_type"),
        references=reference_messages(references),
    )
    return unary(
        REGISTRY + "ValidateSchema",
        pb.SchemaValidationReport,
        _decode.schema_validation_report,
        request,
        timeout,
    )


@checked
def check_compatibility(
    subject: str,
    content: Content,
    *,
    level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
    compare_version: str | int | None = None,
    references: Iterable[Reference] = (),
    schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
    timeout: float | None = None,
) -> Unary[CompatibilityReport]:
    """Whether a schema could become the next version of a subject. Incompatible is an answer, not an error.

    `level` and `schema_type` are the subject's when unspecified. `compare_version` compares with that version only.
    """
    request = pb.CompatibilityCheckRequest(
        subject=subject,
        new_schema=content_bytes(content),
        level=number(CompatibilityLevel, level, "level"),
        compare_version=None if compare_version is None else selector(compare_version, "compare_version"),
        references=reference_messages(references),
        schema_type=number(SchemaType, schema_type, "schema_type"),
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

    schema_id: SchemaId | None
    data: Data
    strict: bool = False
    encoding: DataEncoding | str = DataEncoding.UNSPECIFIED
    message_name: str = ""
    max_errors: int = 0
    subject: str = ""
    version: str | int = "latest"


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One schema of `check_many`; the fields are the parameters of `check_compatibility`."""

    subject: str
    content: Content
    level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED
    compare_version: str | int | None = None
    references: Sequence[Reference] = ()
    schema_type: SchemaType | str = SchemaType.UNSPECIFIED


@checked
def validate_many(
    *, window: int = 64, timeout: float | None = None
) -> Batch[ValidationItem | tuple[SchemaId, Data], ValidationReport]:
    """Validate a stream of payloads: `ValidationItem`s or (schema id, data) pairs. One report for each, in order.

    A report whose `error` is set stands for a request that failed by itself; the others are not touched by it. At
    most `window` items are under way, so memory stays bounded however long the stream is. `timeout` is the longest
    wait for the next report. When the connection breaks, the items without a report are sent again.
    """
    return Batch(
        Rpc(REGISTRY + "BatchValidate", pb.ValidationReport),
        _validation_request,
        lambda answer, index: replace(_decode.validation_report(answer), index=index),
        _window(window),
        timeout,
    )


@checked
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
        _window(window),
        timeout,
    )


def _validation_request(item: ValidationItem | tuple[SchemaId, Data]) -> Message:
    if isinstance(item, tuple) and len(item) == 2:
        item = ValidationItem(*item)
    if not isinstance(item, ValidationItem):
        raise TypeError(
            f"items: a ValidationItem or a (schema id, data) pair is expected, not {described(item)}"
        )
    return validate_data(
        item.schema_id,
        item.data,
        strict=item.strict,
        encoding=item.encoding,
        message_name=item.message_name,
        max_errors=item.max_errors,
        subject=item.subject,
        version=item.version,
    ).request


def _check_request(item: CheckItem | tuple[str, Content]) -> Message:
    if isinstance(item, tuple) and len(item) == 2:
        item = CheckItem(*item)
    if not isinstance(item, CheckItem):
        raise TypeError(f"items: a CheckItem or a (subject, content) pair is expected, not {described(item)}")
    return check_compatibility(
        item.subject,
        item.content,
        level=item.level,
        compare_version=item.compare_version,
        references=item.references,
        schema_type=item.schema_type,
    ).request


def _window(window: int) -> int:
    return integer(window, "window", least=1)
