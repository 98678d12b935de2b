"""The verdict and the validator say one thing: YES means that what is valid under the writer's schema (strictly: all of it
declared) is valid under the reader's. Binary payloads at every strictness, JSON at WIRE_JSON and SOURCE (docs/protobuf.md)."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions, Strictness, Verdict
from llm_schema_engines.model.validation import Encoding
from tests.formats.protobuf.kit import ENGINE
from tests.formats.protobuf.pairs import sources
from tests.formats.protobuf.payloads import Payloads


def check_pair(
    reader: SchemaSource, writer: SchemaSource, random: Random, counts: Counter[str], payloads: int = 6
) -> list[str]:
    """What contradicts the verdicts of a pair, at every strictness."""
    agreed = {
        strictness
        for strictness in Strictness
        if ENGINE.compare(reader, writer, CompareOptions(strictness)).verdict is Verdict.YES
    }
    counts["pairs"] += 1
    counts.update(f"YES at {strictness.name}" for strictness in agreed)
    if not agreed:
        return []
    theirs, mine = ENGINE.compile_validator(writer), ENGINE.compile_validator(reader)
    made = Payloads(CompiledSchema(writer.artifact), random)
    wrong = []
    for name in CompiledSchema(writer.artifact).schema.own_messages():
        for payload, encoding in made.some(f"t.{name}", payloads):
            if encoding is Encoding.JSON and agreed == {Strictness.WIRE}:
                continue
            if not theirs.validate(payload, encoding=encoding, strict=True, message_name=f"t.{name}").valid:
                counts["payloads not valid under the old schema"] += 1
                continue
            counts[f"{encoding.name} payloads"] += 1
            report = mine.validate(payload, encoding=encoding, message_name=f"t.{name}")
            if not report.valid:
                levels = sorted(s.name for s in agreed)
                wrong.append(
                    f"YES at {levels}, but {payload!r} of {name}: {report.errors[0]}\n{shown(writer)}\n->\n{shown(reader)}"
                )
    return wrong


def shown(source: SchemaSource) -> str:
    return "\n".join(text.decode() for text in source.texts())


def examine(pairs: int, seed: int) -> Counter[str]:
    """Compare random pairs both ways; raises AssertionError with what contradicts a verdict."""
    random, counts = Random(seed), Counter[str]()
    wrong: list[str] = []
    for _ in range(pairs):
        made = sources(random)
        if made is None:
            counts["refused"] += 1
            continue
        for reader, writer in (made, made[::-1]):
            wrong += check_pair(reader, writer, random, counts)
    print(dict(counts))
    assert not wrong, "\n\n".join(sorted(wrong, key=len)[:3])
    return counts


def test_what_is_valid_under_the_old_schema_is_valid_under_the_new_one() -> None:
    counts = examine(150, seed=1)

    for what, least in {
        "YES at WIRE": 60,
        "YES at WIRE_JSON": 20,
        "YES at SOURCE": 10,
        "BINARY payloads": 500,
        "JSON payloads": 150,
    }.items():
        assert counts[what] > least, what


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_it_is_in_many_cases(seed: int) -> None:
    examine(12_000, seed)
