"""The handlers of ToolsService."""

from __future__ import annotations

from llm_schema_engines.model.difference import Difference
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry.v1 import tools_pb2 as pb

from ..calls.call import Call
from ..errors import InvalidRequest
from ..model.principal import READ
from ..model.scope import SubjectScope
from ..model.selector import parse_selector
from ..model.subject import Subject
from ..registry.converting import ConversionRequest
from ..registry.diffing import (
    GivenSchema,
    Operand,
    RegisteredSchema,
    SchemaDiff,
)
from ..registry.use_cases import UseCases
from . import convert
from .actors import touch_owner
from .many import ManySchemas
from .many_payloads import ManyPayloads


class ToolsService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases, many: ManySchemas, items: ManyPayloads) -> None:
        self._diffing, self._converting, self._reading = use.diffing, use.converting, use.reading
        self._many, self._items = many, items

    async def batch_get_schemas(
        self, request: pb.BatchGetSchemasRequest, call: Call
    ) -> pb.BatchGetSchemasResponse:
        return await self._many(request, call)

    async def validate_items(self, request: pb.ValidateItemsRequest, call: Call) -> pb.ValidateItemsResponse:
        return await self._items(request, call)

    async def diff_schemas(self, request: pb.DiffSchemasRequest, call: Call) -> pb.DiffSchemasResponse:
        readable = call.rights.where(READ)
        old = _operand(request.old, "old", "", readable)
        new = _operand(request.new, "new", request.old.subject, readable)
        for operand in (old, new):
            await self._name_owner(operand, call)
        with convert.Refusals():
            return _diff(await self._diffing(old, new))

    async def convert_schema(self, request: pb.ConvertSchemaRequest, call: Call) -> pb.ConvertSchemaResponse:
        target = convert.enum(SchemaType, request.target_type, "target_type")
        wanted = ConversionRequest(
            _operand(request.source, "source", "", call.rights.where(READ)),
            target,
            request.message_name,
            request.data,
        )
        await self._name_owner(wanted.source, call)
        with convert.Refusals():
            done = await self._converting(wanted)
        return pb.ConvertSchemaResponse(
            schema_content=done.content,
            schema_type=request.target_type,
            losses=[
                pb.ConversionLoss(
                    kind=pb.ConversionLoss.Kind.Value(f"KIND_{x.kind}"), path=x.pointer, message=x.message
                )
                for x in done.losses
            ],
            data=done.document,
            dropped=done.dropped,
        )

    async def _name_owner(self, operand: Operand, call: Call) -> None:
        if isinstance(operand, RegisteredSchema) and operand.schema_id:
            await touch_owner(self._reading, operand.schema_id, call)


def _operand(given: pb.SchemaOperand, field: str, subject: str, readable: SubjectScope) -> Operand:
    """`subject`: where a version without a subject belongs. readable: the subjects that its references may point to."""
    named = [name for name in ("schema_id", "subject", "schema_content") if getattr(given, name)]
    if len(named) > 1:
        raise InvalidRequest(f"{field}.{named[1]}", f"cannot be given together with {named[0]}")
    if given.schema_id:
        return RegisteredSchema(schema_id=given.schema_id)
    if given.schema_content:
        return GivenSchema(
            convert.enum(SchemaType, given.schema_type, f"{field}.schema_type"),
            given.schema_content,
            convert.references(given.references),
            readable=readable,
        )
    subject = given.subject or subject
    if not subject:
        raise InvalidRequest(field, "names no schema; give schema_id, subject or schema_content")
    return RegisteredSchema(
        subject=Subject.parse(subject, f"{field}.subject"),
        selector=parse_selector(given.version, f"{field}.version"),
    )


def _diff(diff: SchemaDiff) -> pb.DiffSchemasResponse:
    return pb.DiffSchemasResponse(
        differences=[_difference(d) for d in diff.differences.items],
        change_class=convert.change_class(diff.change),
        backward=convert.report(diff.backward),
        forward=convert.report(diff.forward),
        text=_text(diff),
        old_version=diff.old_name,
        new_version=diff.new_name,
        truncated=diff.differences.truncated,
    )


def _difference(d: Difference) -> pb.SchemaDifference:
    return pb.SchemaDifference(
        kind=pb.SchemaDifference.Kind.ValueType(d.kind),
        path=d.path,
        old_value=d.old_value,
        new_value=d.new_value,
        message=d.message,
    )


SIGNS = {"ADDED": "+", "REMOVED": "-", "WIDENED": ">", "NARROWED": "<", "CHANGED": "~"}


def _text(diff: SchemaDiff) -> str:
    """A line for the pair, one for each difference, one for each direction."""
    lines = [f"{diff.old_name} -> {diff.new_name}: {diff.change.name}"]
    lines += [f"{SIGNS[d.kind.name]} {d.message}" for d in diff.differences.items]
    if diff.differences.truncated:
        lines.append("... and more")
    lines += [f"backward: {diff.backward.message}", f"forward: {diff.forward.message}"]
    return "\n".join(lines) + "\n"
