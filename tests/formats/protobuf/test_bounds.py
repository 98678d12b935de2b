"""Schemas that are small to write and large to work with: every step stays bounded and says why it stops."""

from __future__ import annotations

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import Verdict
from llm_schema_engines.model.validation import Encoding
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.protobuf.kit import ENGINE, compare, errors, source

P2, P3 = 'syntax = "proto2"; ', 'syntax = "proto3"; '


def chain(length: int, last: str, label: str = "optional") -> str:
    """Messages of which each holds the next one."""
    links = "".join(f"message M{i} {{ {label} M{i + 1} a = 1; }}" for i in range(length))
    return f"{P2}{links} message M{length} {{ optional {last} x = 1; }}"


def test_a_thousand_types_in_a_row_are_no_matter() -> None:
    validator = ENGINE.compile_validator(source(chain(1000, "int32")))

    assert validator.validate(b"\x0a\x00").valid
    assert validator.validate(b'{"a": {"a": {}}}', strict=True).valid


def test_types_in_a_ring_have_a_limit() -> None:
    def ring(length: int) -> str:
        return P3 + "".join(f"message M{i} {{ M{(i + 1) % length} a = 1; }}" for i in range(length))

    assert ENGINE.compile_validator(source(ring(140))).validate(b"").valid
    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(SchemaSource(ring(1000).encode()))
    assert caught.value.issues[0].rule == "TYPES_TOO_DEEP"


def test_a_break_too_deep_to_show_is_still_reported() -> None:
    comparison = compare(chain(1000, "string", "required"), chain(1000, "int32", "required"))

    assert errors(comparison) == {"FIELD_WIRE_COMPATIBLE_TYPE"}


def test_required_fields_that_double_at_every_level_are_not_built() -> None:
    def doubling(last: str) -> str:
        links = "".join(
            f"message M{i} {{ required M{i + 1} a = 1; required M{i + 1} b = 2; }}" for i in range(40)
        )
        return f"{P2}{links} message M40 {{ optional {last} x = 1; }}"

    assert errors(compare(doubling("string"), doubling("int32"))) == {"FIELD_WIRE_COMPATIBLE_TYPE"}


def test_types_that_pair_with_each_other_without_end_are_undecided() -> None:
    def crossed(step: int) -> str:
        return P3 + "".join(
            f"message M{i} {{"
            + "".join(f"M{(i * 7 + j * step) % 120} f{j} = {j + 1};" for j in range(120))
            + "}"
            for i in range(120)
        )

    comparison = compare(crossed(1), crossed(3))

    assert comparison.verdict is Verdict.UNDECIDED
    assert comparison.violations[0].rule == "COMPARISON_TOO_LARGE"


def test_more_violations_than_anyone_reads_are_counted() -> None:
    def fields(kind: str) -> str:
        return P3 + "message M {" + "".join(f"{kind} f{i} = {i + 1};" for i in range(300)) + "}"

    violations = compare(fields("string"), fields("int32")).violations

    assert len(violations) == 201
    assert violations[-1].message == "100 more violations are not listed"
    assert sum(v.witness is not None for v in violations) == 50


@pytest.mark.parametrize(
    "payload",
    [
        b"\x0a\x00" * 100_000,
        b"\x30\x01" * 100_000,
        b'{"a":[' * 70 + b'"' + b'\\"' * 500_000,
        b"[" * 1_000_000,
        b" " * 1_000_000,
        b'{"' + b"k" * 1_000_000 + b'": 1}',
        b'{"x": "' + b"9" * 1_000_000 + b'"}',
        b'{"x": 0.' + b"9" * 1_000_000 + b"}",
    ],
    ids=lambda payload: repr(payload[:8]),
)
def test_large_payloads_have_few_errors_and_short_messages(payload: bytes) -> None:
    validator = ENGINE.compile_validator(source(P2 + "message M { repeated M a = 1; required int32 x = 2; }"))
    for encoding in (Encoding.AUTO, Encoding.JSON, Encoding.BINARY):
        report = validator.validate(payload, encoding=encoding, strict=True)

        assert len(report.errors) <= 20
        assert all(len(e.message) + len(e.path) < 1000 for e in report.errors)
