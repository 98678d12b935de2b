"""What a conversion promises for any schema: converted data is valid, and round trips keep what no loss names."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.avro import AvroLimits
from llm_schema_engines.formats.avro.resolution.read import resolve
from llm_schema_engines.formats.avro.schema.document import load
from llm_schema_engines.formats.avro.schema.values import SmallestValues, encode
from llm_schema_engines.formats.conversion import DataRefused, LossKind
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_engines.model.schema import SchemaType
from tests.formats.avro.strategies import Maker, datum
from tests.formats.conversion.generators import JsonSchemas, ProtoTexts
from tests.formats.conversion.kit import AVRO, ENGINES, JSON, PROTOBUF, accepts, check_data, source, there

RANDOM = st.randoms(use_true_random=False)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))


def avro(random: Random) -> tuple[Any, list[Any]]:
    """A schema and plain JSON documents of it."""
    schema = Maker(random, namespaces=random.random() < 0.5).schema()
    root = load(json.dumps(schema).encode(), (), AvroLimits(), strict=True).root
    smallest = SmallestValues(root)
    if not smallest.exists(root):
        return schema, []
    data = [encode(root, datum(root, random, smallest)) for _ in range(3)]
    return schema, [resolve(root, root, d, AvroLimits()) for d in data]


def json_schema(random: Random) -> tuple[Any, list[Any]]:
    schema, make = JsonSchemas(random).schema()
    return schema, [make() for _ in range(3)]


def proto(random: Random) -> tuple[Any, list[Any]]:
    text, make = ProtoTexts(random).text()
    return text, [make() for _ in range(3)]


MAKERS = {AVRO: avro, JSON: json_schema, PROTOBUF: proto}
DIRECTIONS = [(a, b) for a in MAKERS for b in MAKERS if a is not b]
NAMES = [f"{a.name}-{b.name}" for a, b in DIRECTIONS]


def check_direction(kind: SchemaType, target: SchemaType, random: Random) -> None:
    schema, documents = MAKERS[kind](random)
    given_source = source(kind, schema)
    conversion = there(kind, schema, target)
    back = there(target, conversion.content, kind)
    source(kind, back.content)
    lossy = {loss.kind for loss in (*conversion.losses, *back.losses)} & {LossKind.CHANGED, LossKind.DROPPED}
    for document in documents:
        assert accepts(kind, given_source, json.dumps(document).encode()), (schema, document)
        converted = check_data(conversion, target, document)
        returned = check_data(back, kind, converted) if converted is not None else None
        if returned is not None and not lossy:
            assert same(kind, given_source, document, returned), (schema, document, converted, returned)


@pytest.mark.parametrize(("kind", "target"), DIRECTIONS, ids=NAMES)
@FEW
@given(RANDOM)
def test_converted_data_is_valid_and_comes_back(kind: SchemaType, target: SchemaType, random: Random) -> None:
    check_direction(kind, target, random)


@pytest.mark.deep
@pytest.mark.parametrize(("kind", "target"), DIRECTIONS, ids=NAMES)
@MANY
@given(RANDOM)
@pytest.mark.timeout(900)
def test_converted_data_is_valid_and_comes_back_in_many_cases(
    kind: SchemaType, target: SchemaType, random: Random
) -> None:
    check_direction(kind, target, random)


def same(kind: SchemaType, given_source: SchemaSource, document: Any, returned: Any) -> bool:
    """Equal documents; for Protobuf, equal messages (zeros may be left out or written)."""
    if kind is not PROTOBUF:
        return bool(document == returned)
    pool = CompiledSchema(given_source.artifact)
    message = pool.message(pool.first)
    assert message is not None
    one, other = (
        json_format.ParseDict(d, message(), descriptor_pool=pool.pool) for d in (document, returned)
    )
    return bool(one == other)


def check_schema(kind: SchemaType, target: SchemaType, random: Random) -> bool:
    """Whether the round trip was free of loss, and then the schemas read each other's data; where something was narrowed,
    only the first reads what the second accepts."""
    schema, _ = MAKERS[kind](random)
    conversion = there(kind, schema, target)
    back = there(target, conversion.content, kind)
    kinds = {loss.kind for loss in (*conversion.losses, *back.losses)}
    if kinds & {LossKind.CHANGED, LossKind.DROPPED}:
        return False
    first, again = source(kind, schema), source(kind, back.content)
    pairs = [(first, again)] if LossKind.NARROWED in kinds else [(first, again), (again, first)]
    for reader, writer in pairs:
        comparison = ENGINES[kind].compare(reader, writer, CompareOptions())
        assert comparison.verdict is not Verdict.NO, (schema, back.content.decode(), comparison)
    return True


@pytest.mark.parametrize(("kind", "target"), DIRECTIONS, ids=NAMES)
@FEW
@given(RANDOM)
def test_a_schema_whose_round_trip_reports_no_loss_comes_back_equivalent(
    kind: SchemaType, target: SchemaType, random: Random
) -> None:
    check_schema(kind, target, random)


@FEW
@given(RANDOM, st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4),
                            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
                            max_leaves=8))  # fmt: skip
def test_any_document_is_converted_or_refused_and_what_is_invalid_is_not_made_valid_silently(
    random: Random, document: Any
) -> None:
    for kind, make in MAKERS.items():
        schema, _ = make(random)
        for target in MAKERS:
            if target is kind:
                continue
            conversion = there(kind, schema, target)
            try:
                payload = conversion.data.convert(json.dumps(document).encode()).payload
            except DataRefused:
                continue
            assert accepts(target, source(target, conversion.content), payload), (schema, document, payload)
