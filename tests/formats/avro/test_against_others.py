"""The engine beside the `avro` package and fastavro, on random schemas, edits and data.

Documented exceptions, where the others are wrong or the specification leaves room:
- logical types: we refuse data that is none of the reader's, or counted in another unit; the others do not look;
- aliases: the `avro` package neither resolves them in the reader's namespace nor notices ambiguous ones;
- fastavro reads anything into an empty union, and of a reader's union takes the first branch that a promotion leads to,
  where Java and we prefer the branch of the same type;
- `error` types make the `avro` package raise.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from random import Random
from typing import Any

import avro.compatibility
import avro.errors
import avro.io
import avro.schema
import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.avro import AvroLimits
from llm_schema_engines.formats.avro.resolution.read import resolve
from llm_schema_engines.formats.avro.schema.document import Document, load
from llm_schema_engines.formats.avro.schema.nodes import children, reachable
from llm_schema_engines.formats.avro.schema.values import SmallestValues, encode, to_json
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import Comparison, Severity, Verdict
from llm_schema_engines.model.validation import Encoding
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.avro.battery import BATTERY
from tests.formats.avro.battery import encode as encode_row
from tests.formats.avro.strategies import Maker, datum, edit
from tests.formats.avro.support import ENGINE, compare, source

RANDOM = st.randoms(use_true_random=False)
FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
OUR_OWN_RULES = {"AVRO_DECIMAL_MISMATCH", "AVRO_LOGICAL_TYPE_MISMATCH", "AVRO_FIELD_ALIAS_AMBIGUOUS"}


def document(schema: Any) -> Document | None:
    """None when an edit has made the schema invalid."""
    try:
        return load(json.dumps(schema).encode(), (), AvroLimits(), strict=True)
    except InvalidSchema:
        return None


def pair(random: Random) -> tuple[Any, Any]:
    writer = Maker(random).schema()
    return edit(writer, random), writer


def bare(schema: Any) -> Any:
    """The schema without logical types: the others turn those into objects with limits of their own."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "logicalType"}
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


def errors_of(found: Comparison) -> set[tuple[str, str]]:
    """The rules that are broken, and where."""
    return {(v.rule, v.path) for v in found.violations if v.severity is Severity.ERROR}


def check_verdict(random: Random) -> None:
    reader, writer = pair(random)
    if document(reader) is None or document(writer) is None:
        return
    ours = compare(reader, writer)
    errors = errors_of(ours)
    if {rule for rule, _ in errors} & OUR_OWN_RULES:
        return
    bared = compare(bare(reader), bare(writer))
    if not errors <= errors_of(bared):
        ours = bared  # a branch of a union does not fit for its logical type alone, of which the other knows nothing
    theirs = avro.compatibility.ReaderWriterCompatibilityChecker().get_compatibility(
        avro.schema.parse(json.dumps(bare(reader))), avro.schema.parse(json.dumps(bare(writer)))
    )
    compatible = theirs.compatibility is avro.compatibility.SchemaCompatibilityType.compatible

    assert (ours.verdict is Verdict.YES) == compatible, (reader, writer, theirs.messages)


@FEW
@given(RANDOM)
def test_the_verdict_is_that_of_the_avro_package(random: Random) -> None:
    check_verdict(random)


@pytest.mark.deep
@MANY
@given(RANDOM)
def test_the_verdict_is_that_of_the_avro_package_in_many_cases(random: Random) -> None:
    check_verdict(random)


def read_with_fastavro(reader: Any, writer: Any, data: bytes) -> Any:
    return fastavro.schemaless_reader(
        io.BytesIO(data), fastavro.parse_schema(bare(writer)), fastavro.parse_schema(bare(reader))
    )


def reads_with_fastavro(reader: Any, writer: Any, data: bytes) -> bool:
    try:
        read_with_fastavro(reader, writer, data)
    except (fastavro.read.SchemaResolutionError, ValueError, IndexError, EOFError):
        return False
    except KeyError as error:
        # It takes an enum in the reader's union for the writer's record of the same name, and misses the fields.
        if error.args != ("fields",):
            raise
        return False
    return True


def as_json(value: Any) -> Any:
    """A value as fastavro reads it, in plain JSON."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def alike(ours: Any, theirs: Any) -> bool:
    """Equal but for a promotion that fastavro makes and we do not: numbers as floats, text as bytes."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, int | float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-6)
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours == theirs or ours.encode() == theirs.encode("latin-1", "replace")
    return bool(ours == theirs)


def read_with_avro(reader: Any, writer: Any, data: bytes) -> Any:
    decoder = avro.io.BinaryDecoder(io.BytesIO(data))
    return avro.io.DatumReader(
        avro.schema.parse(json.dumps(bare(writer))), avro.schema.parse(json.dumps(bare(reader)))
    ).read(decoder)


def text_or_bytes(schema: Any) -> bool:
    """Whether a union has both string and bytes: fastavro then takes the first that a promotion leads to, we (as the
    Java reference does) the one that needs none."""
    if isinstance(schema, dict):
        return any(map(text_or_bytes, schema.values()))
    if not isinstance(schema, list):
        return False
    kinds = [b.get("type") if isinstance(b, dict) else b for b in schema]
    return ("string" in kinds and "bytes" in kinds) or any(map(text_or_bytes, schema))


def check_promise(random: Random) -> None:
    reader, writer = pair(random)
    if text_or_bytes(reader):
        return
    theirs, mine = document(writer), document(reader)
    if theirs is None or mine is None or compare(reader, writer).verdict is not Verdict.YES:
        return
    if any(v.rule == "AVRO_BYTES_READ_AS_STRING" for v in compare(reader, writer).violations):
        return  # bytes that are read as a string may fail, and the warning says so
    smallest = SmallestValues(theirs.root)
    for _ in range(5 if smallest.exists(theirs.root) else 0):
        data = encode(theirs.root, datum(theirs.root, random, smallest))

        resolved = resolve(mine.root, theirs.root, data, AvroLimits())
        assert alike(resolved, as_json(read_with_fastavro(reader, writer, data))), (reader, writer, resolved)
        # What was resolved is a plain JSON value of the reader.
        report = ENGINE.compile_validator(source(reader)).validate(
            json.dumps(resolved).encode(), encoding=Encoding.JSON
        )
        assert report.valid, (reader, writer, report)


@FEW
@given(RANDOM)
def test_compatible_means_that_written_data_resolves(random: Random) -> None:
    check_promise(random)


@pytest.mark.deep
@MANY
@given(RANDOM)
def test_compatible_means_that_written_data_resolves_in_many_cases(random: Random) -> None:
    check_promise(random)


def has_empty_union(schema: Any) -> bool:
    parsed = document(schema)
    return parsed is not None and any(n.kind == "union" and not children(n) for n in reachable(parsed.root))


def check_witnesses(random: Random) -> None:
    reader, writer = pair(random)
    if document(reader) is None or document(writer) is None or has_empty_union(reader):
        return
    # The others know nothing of logical types, which decide about branches of unions with us (docs/decisions/0024).
    without_logical_types = errors_of(compare(bare(reader), bare(writer)))
    for violation in compare(reader, writer).violations:
        if (
            violation.witness is None
            or violation.severity is not Severity.ERROR
            or violation.rule in OUR_OWN_RULES
            or (violation.rule, violation.path) not in without_logical_types
            # A branch with a logical type fails for that, even where another branch fails without, too.
            or "(" in violation.old_value
            # fastavro takes text for the bytes of a decimal, which we do not (docs/decisions/0024).
            or (violation.old_value == "string" and '"decimal"' in json.dumps(reader))
        ):
            continue
        assert not reads_with_fastavro(reader, writer, violation.witness.data), (reader, writer, violation)


@FEW
@given(RANDOM)
def test_a_witness_fails_in_another_implementation_too(random: Random) -> None:
    check_witnesses(random)


@pytest.mark.deep
@MANY
@given(RANDOM)
def test_a_witness_fails_in_another_implementation_too_in_many_cases(random: Random) -> None:
    check_witnesses(random)


def check_data(random: Random) -> None:
    schema = Maker(random, namespaces=True).schema()
    parsed = document(schema)
    assert parsed is not None
    smallest = SmallestValues(parsed.root)
    if not smallest.exists(parsed.root):
        return
    validator = ENGINE.compile_validator(source(schema))
    value = datum(parsed.root, random, smallest)
    data = encode(parsed.root, value)

    assert validator.validate(data, encoding=Encoding.BINARY, strict=True).valid
    assert validator.validate(
        json.dumps(to_json(parsed.root, value)).encode(), encoding=Encoding.AVRO_JSON, strict=True
    ).valid
    plain = resolve(parsed.root, parsed.root, data, AvroLimits())
    assert validator.validate(json.dumps(plain).encode(), encoding=Encoding.JSON, strict=True).valid
    assert plain == as_json(read_with_fastavro(schema, schema, data))


@FEW
@given(RANDOM)
def test_random_data_is_valid_in_all_encodings_and_reads_back(random: Random) -> None:
    check_data(random)


def check_noise(random: Random, noise: bytes) -> None:
    """What we take as data another implementation reads."""
    schema = Maker(random).schema()
    parsed = document(schema)
    assert parsed is not None
    data = noise
    smallest = SmallestValues(parsed.root)
    if random.random() < 0.7 and smallest.exists(parsed.root):
        content = bytearray(encode(parsed.root, datum(parsed.root, random, smallest)))
        for _ in range(min(len(content), random.randint(1, 3))):
            content[random.randrange(len(content))] = random.randrange(256)
        data = bytes(content)

    if ENGINE.compile_validator(source(schema)).validate(data, encoding=Encoding.BINARY).valid:
        read_with_avro(schema, schema, data)


@FEW
@given(RANDOM, st.binary(max_size=40))
def test_any_bytes_get_a_verdict_and_what_is_valid_can_be_read(random: Random, noise: bytes) -> None:
    check_noise(random, noise)


@FEW
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
                    | st.sampled_from(["int", "record", "enum", "array", "R"]),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["type", "name", "fields", "items", "values", "symbols", "size", "default", "aliases",
                                         "namespace", "logicalType", "precision", "order", "doc"]), inner, max_size=6),
                    max_leaves=25))  # fmt: skip
def test_any_json_is_a_schema_or_is_refused_with_issues(value: Any) -> None:
    given_source = SchemaSource(json.dumps(value).encode())
    for strict in (True, False):
        with contextlib.suppress(InvalidSchema):  # which cannot be made without an issue
            ENGINE.parse(given_source, strict=strict)
            ENGINE.compile_validator(given_source).validate(b"{}")


@FEW
@given(st.binary(max_size=60))
def test_any_bytes_are_a_schema_or_are_refused_with_issues(content: bytes) -> None:
    with pytest.raises(InvalidSchema):
        ENGINE.parse(SchemaSource(b"{" + content))


AVRO_PACKAGE_REFUSES = {
    "bad namespace beside a dotted name is ignored": "the package checks a namespace that does not count",
}
"""Rows of the battery that the specification allows and the `avro` package refuses."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "schema"),
    [(n, s) for n, s, rule in BATTERY if rule is None],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_we_accept_the_avro_package_accepts(name: str, schema: Any) -> None:
    if name in AVRO_PACKAGE_REFUSES:
        with pytest.raises(avro.errors.AvroException):
            avro.schema.parse(encode_row(name, schema).decode())
        return

    avro.schema.parse(encode_row(name, schema).decode())


@FEW
@given(RANDOM)
@pytest.mark.filterwarnings("ignore")
def test_an_edited_schema_that_we_accept_the_others_accept_too(random: Random) -> None:
    schema, _ = pair(random)
    if document(schema) is not None:
        avro.schema.parse(json.dumps(schema))
        fastavro.parse_schema(bare(schema))
