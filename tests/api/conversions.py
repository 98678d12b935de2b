"""What ConvertSchema promises, checked over the wire for one sample."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import tools_pb2

from .conversion_corpus import Sample
from .helpers import register
from .wires import CallFailed, Wire

Loss = tools_pb2.ConversionLoss
TARGETS = (SchemaType.JSON, SchemaType.AVRO, SchemaType.PROTOBUF)
NOT_OURS = frozenset({"INVALID_SCHEMA", "UNKNOWN_DIALECT", "SCHEMA_TOO_LARGE"})
"""Reasons to refuse a source: it is no schema that the registry takes."""


def check_conversions(wire: Wire, sample: Sample, counts: Counter[str]) -> list[str]:
    """Convert a sample into the other two types; what is wrong, one line each. Counts what happened."""
    faults: list[str] = []
    for target in TARGETS:
        if target is not sample.schema_type:
            label = f"{sample.schema_type.name} to {target.name}"
            try:
                faults += [
                    f"{sample.name}, {label}: {f}" for f in _check(wire, sample, target, label, counts)
                ]
            except CallFailed as error:
                if error.reason not in NOT_OURS | {"CONVERSION_REFUSED"}:
                    faults.append(f"{sample.name}, {label}: {error}")
                counts[f"{label}: {error.reason}"] += 1
    return faults


def _check(wire: Wire, sample: Sample, target: SchemaType, label: str, counts: Counter[str]) -> list[str]:
    operand = tools_pb2.SchemaOperand(
        schema_content=sample.content, schema_type=pb.SchemaType.ValueType(sample.schema_type)
    )
    request = tools_pb2.ConvertSchemaRequest(source=operand, target_type=pb.SchemaType.ValueType(target))
    answer = wire.call("ConvertSchema", request)
    counts[f"{label}: converted"] += 1
    try:
        schema_id = register(
            wire, f"conversions.{uuid4().hex}", answer.schema_content, schema_type=int(target)
        ).schema_id
    except CallFailed as error:
        return [f"what was written does not register: {error}"]
    faults = []
    for document in sample.documents:
        request.data = document
        try:
            converted = wire.call("ConvertSchema", request)
        except CallFailed as error:
            counts[f"{label}: document refused"] += 1
            if error.reason != "DATA_REFUSED":
                faults.append(f"the document {document[:200]!r}: {error}")
            elif not any(loss.kind == Loss.KIND_NARROWED for loss in answer.losses):
                faults.append(f"no loss names why {document[:200]!r} is refused: {error}")
            continue
        counts[f"{label}: document"] += 1
        report = wire.call(
            "ValidateData",
            pb.ValidateDataRequest(schema_id=schema_id, data=converted.data, encoding=pb.DATA_ENCODING_JSON),
        )
        if not report.valid:
            faults.append(f"{document[:200]!r} became {converted.data[:200]!r}: {list(report.errors)[:2]}")
    return faults
