"""Calls that read many schemas at once, compare and convert them. Nothing is stored.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import _decode_tools
from .._arguments import described, identifier, many, selector, text
from .._call import TOOLS, Unary, unary
from .._checked import checked
from .._encode import (
    Content,
    Data,
    Reference,
    SchemaId,
    SchemaSelector,
    content_bytes,
    data_bytes,
    number,
    reference_messages,
)
from ..enums import DataEncoding, SchemaType
from ..results import Conversion, Items, ItemsReport, SchemaContent, SchemaDiff, SchemaOrError
from ..v1 import tools_pb2
from .checks import MISSING, schema_fields


@dataclass(frozen=True, slots=True)
class SchemaOperand:
    """A schema to compare: a registered one (by id, or by subject and version selector), or `content` of your own with
    its type and references.
    """

    subject: str = ""
    version: str | int = ""
    schema_id: SchemaId = ""
    content: Content | None = None
    schema_type: SchemaType | str = SchemaType.JSON
    references: Sequence[Reference] = ()


@checked
def get_schemas(
    selectors: Iterable[SchemaSelector], *, page_token: str = "", timeout: float | None = None
) -> Unary[Items[SchemaOrError]]:
    """Many versions in one call: up to 1,000, each by its id or by (subject, version selector).

    One item for each, in their order; one that is not there says so in its `error`. An answer holds some megabytes: when `next_page_token`
    is not "", ask again with it for the rest, as `get_many` does.
    """
    request = tools_pb2.BatchGetSchemasRequest(
        selectors=[_selector(s, i) for i, s in enumerate(many(selectors, "selectors", "ids"))],
        page_token=page_token,
    )
    return unary(
        TOOLS + "BatchGetSchemas",
        tools_pb2.BatchGetSchemasResponse,
        _decode_tools.schemas,
        request,
        timeout,
    )


def _selector(value: object, place: int) -> tools_pb2.SchemaSelector:
    name = f"selectors[{place}]"
    if isinstance(value, tuple):
        if len(value) != 2:
            raise TypeError(f"{name}: (subject, version) is expected, not {described(value)}")
        return tools_pb2.SchemaSelector(name=text(value[0], name), version=selector(value[1], name))
    return tools_pb2.SchemaSelector(id=identifier(value, name))


@checked
def validate_items(
    schema_id: SchemaId | None = None,
    items: Iterable[Data] = MISSING,
    *,
    subject: str = "",
    version: str | int = "latest",
    strict: bool = False,
    encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
    message_name: str = "",
    max_errors: int = 0,
    timeout: float | None = None,
) -> Unary[ItemsReport]:
    """Many payloads under one version in one call, at most 2,000: how many are valid, and a report of each that is not.

    The schema is named, and an item written, as for `validate_data`. The answer holds some megabytes of reports: when `judged` is less
    than the number of items, ask again for those from there on. `validate_many` takes a stream without end, and items of many schemas.
    Raises SchemaNotFound, SubjectNotFound, VersionNotFound.
    """
    request = tools_pb2.ValidateItemsRequest(
        **schema_fields(schema_id, items, subject, version, "validate_items", "items"),
        items=[data_bytes(item, f"items[{i}]") for i, item in enumerate(many(items, "items", "payloads"))],
        strict=strict,
        encoding=number(DataEncoding, encoding, "encoding"),
        message_name=message_name,
        max_errors=max_errors,
    )
    return unary(
        TOOLS + "ValidateItems", tools_pb2.ValidateItemsResponse, _decode_tools.items_report, request, timeout
    )


@checked
def diff_schemas(
    old: SchemaOperand | SchemaContent, new: SchemaOperand | SchemaContent, *, timeout: float | None = None
) -> Unary[SchemaDiff]:
    """What changed between two schemas, and what that means for readers. Nothing is stored.

    Each is a `SchemaOperand` or a version that the registry answered with. Raises SchemaNotFound, SubjectNotFound,
    InvalidSchema.
    """
    request = tools_pb2.DiffSchemasRequest(old=operand(old, "old"), new=operand(new, "new"))
    return unary(
        TOOLS + "DiffSchemas", tools_pb2.DiffSchemasResponse, _decode_tools.schema_diff, request, timeout
    )


@checked
def convert_schema(
    source: SchemaOperand | SchemaContent,
    target_type: SchemaType | str,
    *,
    message_name: str = "",
    data: Data | None = None,
    timeout: float | None = None,
) -> Unary[Conversion]:
    """The same schema in another language, with a list of what it could not carry. Nothing is stored.

    `message_name` chooses the message of a Protobuf source. `data`, a JSON document that is valid under the source, is
    converted too. Raises ConversionRefused, DataRefused, SchemaNotFound, InvalidSchema.
    """
    request = tools_pb2.ConvertSchemaRequest(
        source=operand(source, "source"),
        target_type=number(SchemaType, target_type, "target_type"),
        message_name=message_name,
        data=b"" if data is None else data_bytes(data),
    )
    return unary(
        TOOLS + "ConvertSchema",
        tools_pb2.ConvertSchemaResponse,
        _decode_tools.conversion,
        request,
        timeout,
    )


def operand(schema: SchemaOperand | SchemaContent, name: str) -> tools_pb2.SchemaOperand:
    """The message that names a schema. Raises TypeError for what is none."""
    if not isinstance(schema, SchemaOperand | SchemaContent):
        raise TypeError(
            f"{name}: a SchemaOperand or a version that the registry answered with is expected, "
            f"not {described(schema)}; write SchemaOperand(content=...) or SchemaOperand(subject=...)"
        )
    if isinstance(schema, SchemaContent):
        return tools_pb2.SchemaOperand(schema_id=schema.id)
    if schema.content is None:
        return tools_pb2.SchemaOperand(
            schema_id=identifier(schema.schema_id, f"{name}.schema_id"),
            subject=text(schema.subject, f"{name}.subject"),
            version=selector(schema.version, f"{name}.version"),
        )
    return tools_pb2.SchemaOperand(
        schema_content=content_bytes(schema.content, f"{name}.content"),
        schema_type=number(SchemaType, schema.schema_type, f"{name}.schema_type"),
        references=reference_messages(schema.references, f"{name}.references"),
    )
