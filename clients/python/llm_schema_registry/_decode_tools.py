"""From the messages of ToolsService to frozen values."""

from __future__ import annotations

from ._decode import compatibility_report, item_error, schema_info, validation_report
from .enums import ChangeClass, DifferenceKind, LossKind, SchemaType
from .results import (
    Conversion,
    ConversionLoss,
    Items,
    ItemsReport,
    SchemaDiff,
    SchemaDifference,
    SchemaOrError,
)
from .v1 import tools_pb2


def schemas(m: tools_pb2.BatchGetSchemasResponse) -> Items[SchemaOrError]:
    return Items.of(
        (
            SchemaOrError(schema_info(item.schema) if item.HasField("schema") else None, item_error(item))
            for item in m.items
        ),
        m.next_page_token,
    )


def items_report(m: tools_pb2.ValidateItemsResponse) -> ItemsReport:
    return ItemsReport(
        judged=m.judged,
        valid=m.valid,
        reports=tuple(map(validation_report, m.reports)),
        schema_id=m.schema_id,
        subject=m.subject,
        version=m.version,
    )


def schema_diff(m: tools_pb2.DiffSchemasResponse) -> SchemaDiff:
    return SchemaDiff(
        differences=tuple(
            SchemaDifference(DifferenceKind(d.kind), d.path, d.old_value, d.new_value, d.message)
            for d in m.differences
        ),
        change_class=ChangeClass(m.change_class),
        backward=compatibility_report(m.backward),
        forward=compatibility_report(m.forward),
        text=m.text,
        old_version=m.old_version,
        new_version=m.new_version,
        truncated=m.truncated,
    )


def conversion(m: tools_pb2.ConvertSchemaResponse) -> Conversion:
    return Conversion(
        content=m.schema_content,
        schema_type=SchemaType(m.schema_type),
        losses=tuple(ConversionLoss(LossKind(x.kind), x.path, x.message) for x in m.losses),
        data=m.data,
        dropped=tuple(m.dropped),
    )
