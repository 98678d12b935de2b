"""Canonical forms and fingerprints: what they keep, what they drop, and that other tools agree."""

from __future__ import annotations

import json
import re
from hashlib import md5, sha256
from typing import Any

import fastavro
import pytest

from llm_schema_engines.formats.avro import AvroLimits
from llm_schema_engines.formats.avro.schema.document import load
from llm_schema_engines.formats.avro.schema.fingerprints import crc_64_avro
from llm_schema_engines.formats.avro.schema.forms import parsing_canonical_form
from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import Verdict
from tests.formats.avro.battery import BATTERY, TEXTS
from tests.formats.avro.support import DATA, ENGINE, compare, field, record, source

VALID = [row for row in BATTERY if row[2] is None and row not in TEXTS]


def parse(schema: Any) -> ParsedSchema:
    return ENGINE.parse(source(schema))


def pcf(content: bytes) -> bytes:
    return parsing_canonical_form(load(content, (), AvroLimits(), strict=True).root)


def test_the_canonical_form_is_one_for_all_spellings() -> None:
    one = {
        "type": "record", "name": "R", "namespace": "n", "aliases": ["Old"], "doc": "d",
        "fields": [{"name": "a", "type": {"type": "int"}, "order": "ascending"},
                   {"name": "b", "type": ["null", "R"], "default": None}],
    }  # fmt: skip
    other = {
        "doc": "d", "name": "n.R",
        "fields": [{"type": "int", "name": "a"}, {"default": None, "type": ["null", "n.R"], "name": "b"}],
        "aliases": ["n.Old"], "type": "record",
    }  # fmt: skip

    assert parse(one).canonical == parse(other).canonical
    assert parse(one).fingerprints.validation == parse(other).fingerprints.validation
    assert parse(one).fingerprints.generation != parse(other).fingerprints.generation


def test_the_canonical_form_is_a_schema_with_the_same_canonical_form() -> None:
    for _, schema, _ in VALID:
        first = parse(schema).canonical

        assert ENGINE.parse(SchemaSource(first)).canonical == first


def test_white_space_changes_only_the_content_fingerprint() -> None:
    tight, loose = (
        parse({"type": "int", "doc": "d"}),
        ENGINE.parse(SchemaSource(b'{ "type": "int",\n"doc":"d"}')),
    )

    assert tight.fingerprints.content != loose.fingerprints.content
    assert tight.fingerprints.generation == loose.fingerprints.generation


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("doc", record(field("f", "int", doc="d"))),
        ("order", record(field("f", "int", order="ignore"))),
        ("custom attribute", record(field("f", {"type": "int", "unit": "ms"}))),
        ("ignored logical type", record(field("f", {"type": "int", "logicalType": "fortnight"}))),
    ],
)
def test_annotations_change_generation_but_not_validation(name: str, changed: Any) -> None:
    plain, annotated = parse(record(field("f", "int"))).fingerprints, parse(changed).fingerprints

    assert plain.validation == annotated.validation
    assert plain.generation != annotated.generation


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("default", record(field("f", "int", default=1))),
        ("field alias", record(field("f", "int", aliases=["g"]))),
        ("alias", record(field("f", "int"), aliases=["Q"])),
        ("logical type", record(field("f", {"type": "int", "logicalType": "date"}))),
        ("type", record(field("f", "long"))),
    ],
)
def test_what_decides_validity_or_resolution_changes_the_validation_fingerprint(
    name: str, changed: Any
) -> None:
    assert parse(record(field("f", "int"))).fingerprints.validation != parse(changed).fingerprints.validation


def test_an_enum_default_changes_the_validation_fingerprint() -> None:
    enum = {"type": "enum", "name": "E", "symbols": ["A"]}

    assert parse(enum).fingerprints.validation != parse({**enum, "default": "A"}).fingerprints.validation


@pytest.mark.parametrize(("name", "schema", "rule"), VALID, ids=[row[0] for row in VALID])
def test_fastavro_computes_the_same_parsing_canonical_form(name: str, schema: Any, rule: None) -> None:
    if name in FASTAVRO_REFUSES:
        pytest.skip("fastavro refuses this valid schema")
    if "error record" in name:
        pytest.skip("the specification is silent; Java and we write record, fastavro error")
    expected = fastavro.schema.to_parsing_canonical_form(schema)

    assert pcf(json.dumps(schema).encode()).decode() == expected


FASTAVRO_REFUSES = {
    "default double is an integer",
    "decimal without precision is ignored",
    "decimal with scale over precision is ignored",
    "decimal with a negative scale is ignored",
    "decimal with a string as precision is ignored",
    "decimal too big for its fixed is ignored",
    "bad namespace beside a dotted name is ignored",
}


def test_the_interop_fingerprints_are_those_of_the_parsing_canonical_form() -> None:
    schema = record(field("f", ["null", "string"], default=None), namespace="n", doc="d")
    form = fastavro.schema.to_parsing_canonical_form(schema)
    interop = parse(schema).interop

    assert interop["crc-64-avro"] == fastavro.schema.fingerprint(form, "CRC-64-AVRO")
    assert interop["md5"] == md5(form.encode()).hexdigest()
    assert interop["sha-256"] == sha256(form.encode()).hexdigest()


@pytest.mark.parametrize("length", range(12))
def test_the_crc_is_the_specification_s_loop_at_every_length(length: int) -> None:
    data = bytes(range(200, 200 + length))
    value = 0xC15D213AA4D7A795
    table = []
    for i in range(256):
        entry = i
        for _ in range(8):
            entry = (entry >> 1) ^ (0xC15D213AA4D7A795 & -(entry & 1))
        table.append(entry)
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]

    assert int.from_bytes(crc_64_avro(data), "little") == value


@pytest.mark.skipif(not DATA.exists(), reason="the vectors of Apache Avro are not there")
def test_the_vectors_of_apache_avro() -> None:
    vectors = [line for line in (DATA / "schema-tests.txt").read_text().split("// ") if "<<INPUT" in line]
    seen = 0
    for vector in vectors:
        if "parser broken" in vector:
            continue
        given = re.search(r"<<INPUT ?(.*?)\n?(?:INPUT)?\n<<canonical (.*)", vector, re.DOTALL)
        assert given is not None
        fingerprint = re.search(r"<<fingerprint (.*)", vector)
        form = pcf(given[1].encode())

        assert form.decode() == given[2].split("\n")[0].strip()
        if fingerprint:
            assert int.from_bytes(crc_64_avro(form), "little", signed=True) == int(fingerprint[1])
            seen += 1
    assert seen >= 25


NULL_NAMESPACE_INSIDE = record(
    field("f", {"type": "enum", "name": "E", "namespace": "", "symbols": ["A"]}),
    field("g", {"type": "record", "name": "I", "namespace": "", "fields": [
        field("h", {"type": "fixed", "name": "F", "size": 1}),
        field("i", {"type": "fixed", "name": "F", "namespace": "m", "size": 2})]}),
    namespace="n",
)  # fmt: skip


def test_a_type_without_namespace_inside_one_keeps_its_name_in_the_canonical_form() -> None:
    first = parse(NULL_NAMESPACE_INSIDE)
    again = ENGINE.parse(SchemaSource(first.canonical))

    assert (again.canonical, again.fingerprints.validation) == (
        first.canonical,
        first.fingerprints.validation,
    )
    assert again.interop == first.interop
    assert set(again.names) == set(first.names) >= {"E", "I", "F", "m.F", "n.R"}
    assert b'"namespace":""' in first.canonical
    expected = fastavro.schema.to_parsing_canonical_form(NULL_NAMESPACE_INSIDE)
    assert pcf(json.dumps(NULL_NAMESPACE_INSIDE).encode()).decode() == expected


@pytest.mark.skipif(not DATA.exists(), reason="the schemas of Apache Avro are not there")
def test_real_schemas_equal_themselves_and_have_fastavro_s_canonical_form() -> None:
    pairs = [json.loads(line) for line in (DATA / "reader-writer-pairs.jsonl").read_text().splitlines()]
    for schema in [side for pair in pairs for side in (pair["reader"], pair["writer"])]:
        text = json.dumps(schema).encode()

        assert compare(schema, schema).verdict is Verdict.YES
        assert compare(schema, json.loads(parse(schema).canonical)).verdict is Verdict.YES
        if '"error"' not in text.decode():  # see above
            assert pcf(text).decode() == fastavro.schema.to_parsing_canonical_form(schema)
