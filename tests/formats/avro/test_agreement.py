"""The verdict and the validator say one thing: where the reader reads the writer's data, all that is valid under the
writer's schema is valid under the reader's, once it is resolved (docs/decisions/0024). fastavro is the judge beside it.

Data is checked in three encodings: binary and Avro JSON as written, plain JSON as resolved; and again in binary, as
fastavro resolves it and writes it with the reader's schema.
"""

from __future__ import annotations

import io
import json
from random import Random
from typing import Any

import fastavro
import pytest
from hypothesis import given

from llm_schema_engines.formats.avro import AvroLimits
from llm_schema_engines.formats.avro.resolution.read import resolve
from llm_schema_engines.formats.avro.schema.values import SmallestValues, encode, to_json
from llm_schema_engines.model.compatibility import Verdict
from llm_schema_engines.model.validation import Encoding
from tests.formats.avro.strategies import LOGICAL, PRIMITIVES, datum
from tests.formats.avro.support import ENGINE, compare, field, record, source
from tests.formats.avro.test_against_others import (
    FEW,
    MANY,
    RANDOM,
    bare,
    document,
    pair,
    read_with_fastavro,
)

EXCEPTION = "AVRO_BYTES_READ_AS_STRING"
"""The specification promotes bytes to string; bytes that are not UTF-8 are the witness of this warning."""


def check_agreement(reader: Any, writer: Any, random: Random) -> bool:
    """Whether there was anything to check."""
    mine, theirs = document(reader), document(writer)
    if mine is None or theirs is None:
        return False
    comparison = compare(reader, writer)
    if comparison.verdict is not Verdict.YES or any(v.rule == EXCEPTION for v in comparison.violations):
        return False
    smallest = SmallestValues(theirs.root)
    if not smallest.exists(theirs.root):
        return False
    old, new = (ENGINE.compile_validator(source(schema)) for schema in (writer, reader))
    for _ in range(4):
        value = datum(theirs.root, random, smallest)
        data = encode(theirs.root, value)
        assert old.validate(data, encoding=Encoding.BINARY).valid
        tagged = json.dumps(to_json(theirs.root, value)).encode()
        assert old.validate(tagged, encoding=Encoding.AVRO_JSON).valid

        resolved = resolve(mine.root, theirs.root, data, AvroLimits())
        report = new.validate(json.dumps(resolved).encode(), encoding=Encoding.JSON)
        assert report.valid, (reader, writer, resolved, report)
        if not several_fit(reader) and not text_for_bytes(reader):
            again = rewritten(reader, writer, data)
            report = new.validate(again, encoding=Encoding.BINARY)
            assert report.valid, (reader, writer, data, again, report)
    return True


FAMILIES = ({"string", "bytes", "fixed", "enum"}, {"int", "long", "float", "double"}, {"record", "map"})


def several_fit(schema: Any) -> bool:
    """Whether a union has types that fastavro takes for each other when it writes a value, which does not say its type."""
    if isinstance(schema, dict):
        return any(map(several_fit, schema.values()))
    if not isinstance(schema, list):
        return False
    kinds = [b.get("type") if isinstance(b, dict) else b for b in schema]
    alike = (sum(kind in family for kind in kinds if isinstance(kind, str)) for family in FAMILIES)
    return any(count > 1 for count in alike) or any(map(several_fit, schema))


def rewritten(reader: Any, writer: Any, data: bytes) -> bytes:
    """The data as fastavro resolves it, written with the reader's schema."""
    value = read_with_fastavro(reader, writer, data)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(bare(reader)), value)
    return out.getvalue()


def text_for_bytes(schema: Any) -> bool:
    """Whether a field has a default with text that may stand for bytes: fastavro gives it as text, which it does not write."""
    if isinstance(schema, list):
        return any(map(text_for_bytes, schema))
    if not isinstance(schema, dict):
        return False
    default = schema.get("default")
    bytes_perhaps = schema.get("type") != "string" and '"' in json.dumps(default)
    return ("default" in schema and bytes_perhaps) or any(map(text_for_bytes, schema.values()))


@FEW
@given(RANDOM)
def test_what_is_valid_under_the_old_schema_is_valid_under_the_new_one(random: Random) -> None:
    check_agreement(*pair(random), random)


@pytest.mark.deep
@MANY
@given(RANDOM)
@pytest.mark.timeout(900)
def test_what_is_valid_under_the_old_schema_is_valid_under_the_new_one_in_many_cases(random: Random) -> None:
    check_agreement(*pair(random), random)


TYPES = [*PRIMITIVES, *LOGICAL, {"type": "int", "logicalType": "time-micros"}]


@pytest.mark.parametrize("wrap", ["field", "array", "union"])
def test_every_pair_of_logical_types(wrap: str) -> None:
    """Each logical type read as each other one, in the three places where a type stands."""
    random, checked = Random(17), 0
    for reader in TYPES:
        for writer in TYPES:
            checked += check_agreement(_wrapped(wrap, reader), _wrapped(wrap, writer), random)

    assert checked >= 90


def _wrapped(wrap: str, kind: Any) -> Any:
    if wrap == "array":
        return {"type": "array", "items": kind}
    return record(field("f", kind if wrap == "field" or kind == "null" else ["null", kind]))


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(field("e", {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"})),
         record(field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"]}))),
        (record(field("b", "long", aliases=["a"])), record(field("a", "int"))),
        (record(field("x", "double", default="NaN", aliases=["a b"])), record(field("x", "float"))),
        (record(field("n", ["null", "R"]), field("v", "double")), record(field("n", ["null", "R"]), field("v", "int"))),
        (record(field("f", {"type": "fixed", "name": "n.F", "size": 2, "aliases": ["G"]})),
         record(field("f", {"type": "fixed", "name": "m.F", "size": 2}))),
        ([record(field("u", {"type": "string", "logicalType": "uuid"})), "string", "null"],
         ["null", record(field("u", {"type": "string", "logicalType": "uuid"}), field("more", "int"))]),
    ],
)  # fmt: skip
def test_enum_defaults_aliases_recursion_fixed_and_unions(reader: Any, writer: Any) -> None:
    assert check_agreement(reader, writer, Random(3))
