"""ConvertSchema over the wire on examples, generated schemas and, where they are there, real schemas of other projects.

No internal error; what is delivered registers; a document that is valid under the source is valid under the target, or a loss
says that some are refused.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from llm_schema_registry.v1 import tools_pb2

from .conversion_corpus import DATA, Sample, examples, generated, of_other_projects
from .conversions import check_conversions
from .helpers import AVRO, JSON, PROTOBUF
from .wires import GrpcWire, Wire

MOST = int(os.environ.get("CONVERSIONS", "4000"))
"""Most schemas of other projects."""


def check(wire: Wire, samples: Iterable[Sample], at_least: int) -> Counter[str]:
    """Check all samples; what happened, counted."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for sample in samples:
        counts["schemas"] += 1
        faults += check_conversions(wire, sample, counts)

    print(*(f"{what}: {count}" for what, count in sorted(counts.items())), sep="\n")
    assert not faults, "\n".join(faults[:20])
    assert counts["schemas"] >= at_least
    return counts


@pytest.fixture
def grpc_wire(wire: Wire) -> Wire:
    """One wire is enough: the others carry the same messages."""
    if not isinstance(wire, GrpcWire) or wire.name != "native":
        pytest.skip("checked on the native engine")
    return wire


@pytest.mark.slow
def test_fifty_schemas_in_all_directions(grpc_wire: Wire) -> None:
    some = [sample for i, sample in enumerate(examples()) if i % 3 == 0]

    check(grpc_wire, [*some, *generated(13, 14)], 50)


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(3))
def test_generated_schemas_in_all_directions(grpc_wire: Wire, seed: int) -> None:
    check(grpc_wire, [*examples(), *generated(200, 100 + seed)], 600)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not DATA.exists(), reason="the schemas of other projects are not there")
def test_real_schemas_of_other_projects_in_all_directions(grpc_wire: Wire) -> None:
    samples = [sample for sample, _ in zip(of_other_projects(), range(MOST), strict=False)]

    check(grpc_wire, samples, min(500, MOST))


LOSSES = (
    (JSON, b'{"type": "object", "properties": {"n": {"type": "string", "minLength": 3}, "a b": {"not": {}}}}', AVRO),
    (JSON, b'{"type": "object", "properties": {"n": {"type": "integer"}}, "not": {}}', PROTOBUF),
    (AVRO, b'["int", "null", "string"]', JSON),
)  # fmt: skip


def test_every_kind_of_loss_crosses_the_wire(wire: Wire) -> None:
    seen = set()
    for schema_type, content, target in LOSSES:
        operand = tools_pb2.SchemaOperand(schema_content=content, schema_type=schema_type)
        answer = wire.call(
            "ConvertSchema", tools_pb2.ConvertSchemaRequest(source=operand, target_type=target)
        )
        seen |= {loss.kind for loss in answer.losses}

    assert seen == set(tools_pb2.ConversionLoss.Kind.values()) - {0}
