"""A schema that was only written in another way reads all that it wrote: equal validation fingerprints answer YES, in every
engine, before any rule is asked."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_engines.model.schema import SchemaType
from tests.formats.avro.strategies import Maker
from tests.formats.conversion.generators import JsonSchemas, ProtoTexts
from tests.formats.conversion.kit import AVRO, ENGINES, JSON, PROTOBUF

RANDOM = st.randoms(use_true_random=False)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def shuffled(value: Any, random: Random) -> Any:
    """The members of all objects in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(item, random) for key, item in items}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


def with_aliases(schema: Any, random: Random) -> Any:
    """Fields with aliases that are their own names and those of their neighbours."""
    if isinstance(schema, list):
        return [with_aliases(item, random) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: value if key == "default" else with_aliases(value, random) for key, value in schema.items()}
    names = [f["name"] for f in schema.get("fields", ())]
    for member in out.get("fields", ()):
        if random.random() < 0.5:
            member["aliases"] = random.choices(names, k=2)
    return out


def two_spellings(kind: SchemaType, random: Random) -> tuple[bytes, bytes]:
    """A random schema, written twice."""
    if kind is PROTOBUF:
        text, _ = ProtoTexts(random).text()
        return text.encode(), (
            "// written again\n" + text.replace("{", "{ /* x */ ").replace("\n", "\n\n")
        ).encode()
    schema = (
        with_aliases(Maker(random, namespaces=random.random() < 0.5).schema(), random)
        if kind is AVRO
        else JsonSchemas(random).schema()[0]
    )
    return json.dumps(schema).encode(), json.dumps(shuffled(schema, random), indent=2).encode()


@pytest.mark.parametrize("kind", [JSON, AVRO, PROTOBUF], ids=lambda kind: kind.name)
@FEW
@given(RANDOM)
def test_a_schema_written_again_reads_what_it_wrote(kind: SchemaType, random: Random) -> None:
    engine = ENGINES[kind]
    sides = []
    for content in two_spellings(kind, random):
        parsed = engine.parse(SchemaSource(content))
        sides.append((parsed, SchemaSource(content, (), parsed.options, parsed.artifact)))
    (first, one), (second, other) = sides

    assert first.fingerprints.validation == second.fingerprints.validation
    for reader, writer in ((one, other), (other, one), (one, one)):
        comparison = engine.compare(reader, writer, CompareOptions())
        assert comparison.verdict is Verdict.YES, (reader.content, writer.content, comparison)
