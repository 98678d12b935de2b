"""Each change of cases.py gets the verdict that data gives it, and every refusal shows the data."""

from __future__ import annotations

import pytest

from llm_schema_engines.formats.protobuf.decoded import missing_required
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import Severity, Verdict
from tests.formats.protobuf.cases import CASES, Case
from tests.formats.protobuf.kit import compare, parse

DIRECTIONS = [
    pytest.param(reader, writer, expected, id=f"{case.name}, {direction}")
    for case in CASES
    for direction, reader, writer, expected in (
        ("backward", case.new, case.old, case.backward),
        ("forward", case.old, case.new, case.forward),
    )
]


@pytest.mark.parametrize(("reader", "writer", "expected"), DIRECTIONS)
def test_the_verdict_is_what_data_says(reader: str, writer: str, expected: bool) -> None:
    comparison = compare(reader, writer)

    assert comparison.verdict is (Verdict.YES if expected else Verdict.NO)


@pytest.mark.parametrize(
    ("reader", "writer"), [p.values[:2] for p in DIRECTIONS if not p.values[2]], ids=lambda value: ""
)
def test_every_error_carries_data_that_the_writer_accepts(reader: str, writer: str) -> None:
    wrote = CompiledSchema(parse(writer).artifact)

    for violation in compare(reader, writer).violations:
        if violation.severity is Severity.ERROR:
            assert violation.witness is not None, violation
            message = wrote.message(violation.witness.text.split(" ")[0])
            assert message is not None
            assert not missing_required(message.FromString(violation.witness.data))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_schema_reads_its_own_data(case: Case) -> None:
    assert compare(case.old, case.old).verdict is Verdict.YES
    assert not compare(case.new, case.new + " ").violations
