"""Real schemas, this project's own and those of other projects where they are there, with random changes; and what every engine
must bear of them: no crash, no internal error, no answer that takes too long, no schema that contradicts itself."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

from llm_schema_engines.errors import ConversionRefused, DataRefused, InvalidSchema
from llm_schema_engines.formats.conversion import convert
from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.linter.linting import LINT_RULES, lint_schema
from llm_schema_engines.model.compatibility import CompareOptions, Strictness, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from tests.api.conversion_corpus import DATA, of_all_projects
from tests.formats.conversion.kit import AVRO, ENGINES, JSON, PROTOBUF
from tests.formats.protobuf import mutants
from tests.formats.protobuf.pairs import SCALARS

from .kinds import Outcome

RULES = frozenset(rule.id for rule in LINT_RULES)
LARGEST = 40_000
"""Bytes of a schema that is taken in nine of ten rounds; the others take any."""
PAYLOADS = (
    b"{}",
    b"[]",
    b"null",
    b'"a"',
    b"1",
    b'{"a": 1}',
    b'{"name": "x", "id": [1, {"a": null}]}',
    b"\x08\x01",
    b"\x00\xff",
    b"",
)


@cache
def contents(schema_type: SchemaType) -> tuple[bytes, ...]:
    """Every real schema of a type that registers as it is, each once."""
    found = dict.fromkeys(content for _, kind, content in of_all_projects() if kind is schema_type)
    return tuple(content for content in found if parsed_source(schema_type, content, Outcome()))


@cache
def _small(schema_type: SchemaType) -> tuple[bytes, ...]:
    return tuple(content for content in contents(schema_type) if len(content) <= LARGEST)


def pick(schema_type: SchemaType, random: Random) -> bytes:
    return random.choice(_small(schema_type) if random.random() < 0.9 else contents(schema_type))


# Changes of JSON documents


COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
TYPE = re.compile("|".join(SCALARS))
NUMBER = re.compile(r"\d+")
LABEL = re.compile("optional|repeated|required")
NAME = re.compile("[a-z][a-z_0-9]*")
LIKE = (TYPE, TYPE, NUMBER, LABEL, NAME)
PUT = {
    TYPE: SCALARS,
    NUMBER: ("0", "1", "2", "7", "100", "19000"),
    LABEL: ("optional", "repeated", ""),
    NAME: ("a", "b_c", "value"),
}


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON document."""
    if isinstance(value, dict):
        for key, item in value.items():
            found.append((value, key))
            places(item, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found.append((value, index))
            places(item, found)
    return found


ODD = (None, True, False, 0, -1, 1.5, 1e308, 2**70, "", "a", "#", "#/", "é", "\x00", "(", "^a*$", [], {}, [None], {"type": "string"},
       {"$ref": "#"}, ["null", "string"], {"not": {}}, [[]], "null", "record", "http://json-schema.org/draft-04/schema#")  # fmt: skip


def changed_json(content: bytes, random: Random, other: bytes) -> bytes:
    """The document with one to four changes; values and keys of another real one are among what is put in."""
    try:
        document, donor = json.loads(content), places(json.loads(other), [])
    except ValueError:
        return changed_bytes(content, random)
    holder = [document]
    for _ in range(random.choice([1, 1, 2, 3, 4])):
        inside = places(holder, [])
        where, key = random.choice(inside)
        given = donor and random.random() < 0.5
        value = deepcopy(random.choice(donor)[0] if given else random.choice(ODD))
        change = random.randrange(5)
        if change == 0:
            where[key] = value
        elif change == 1 and where is not holder:
            del where[key]
        elif change == 2 and isinstance(where, dict):
            names = [k for _, k in donor if isinstance(k, str)] or ["type"]
            where[random.choice(names)] = where.pop(key)
        elif change == 3:
            again, twin = random.choice(inside)
            where[key] = deepcopy(again[twin]) if again is not holder else value
        elif isinstance(where, list):
            where.insert(key, value)
        else:
            names = [k for _, k in donor if isinstance(k, str)] or ["type"]
            where[random.choice(names)] = value
    return json.dumps(holder[0], ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def changed_bytes(content: bytes, random: Random) -> bytes:
    """The text with a few bytes changed, taken out or put in."""
    data = bytearray(content)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(data) + 1)
        change = random.randrange(3)
        if change == 0 and place < len(data):
            data[place] = random.randrange(256)
        elif change == 1:
            del data[place : place + random.choice([1, 1, 5, 50])]
        else:
            data[place:place] = random.choice(
                [b"{", b"}", b'"', b",", b"\\", b"\xff", b"[" * 50, b"null", b"-", b"1e999"]
            )
    return bytes(data)


def changed_proto(content: bytes, random: Random) -> bytes:
    """Tokens changed; half of the changes put a type for a type, a number for a number or a name for a name."""
    text = COMMENT.sub(" ", content.decode("utf-8", "replace"))
    tokens = mutants.TOKEN.findall(text) or ["message"]
    for _ in range(random.choice([1, 1, 2, 4])):
        if random.random() < 0.5:
            tokens = mutants.mutate(tokens, random)
            continue
        group = random.choice(LIKE)
        found = [n for n, token in enumerate(tokens) if group.fullmatch(token)]
        if found:
            tokens[random.choice(found)] = (
                tokens[random.choice(found)] if random.random() < 0.5 else random.choice(PUT[group])
            )
    return " ".join(tokens).encode()


def changed(schema_type: SchemaType, content: bytes, random: Random) -> bytes:
    if random.random() < 0.15:
        return changed_bytes(content, random)
    if schema_type is PROTOBUF:
        return changed_proto(content, random)
    return changed_json(content, random, pick(schema_type, random))


# What every engine must bear


def ask(schema_type: SchemaType, random: Random, outcome: Outcome) -> None:
    """One real schema with changes, through everything that an engine does."""
    before = pick(schema_type, random)
    content = changed(schema_type, before, random)
    after = parsed_source(schema_type, content, outcome)
    if after is None:
        return
    source, parsed = after
    check_canonical(schema_type, source, parsed, outcome)
    with outcome.timed("lint", content):
        lint_schema(ENGINES[schema_type], source, parsed.warnings, RULES)
    with outcome.timed("compile", content):
        validator = ENGINES[schema_type].compile_validator(source)
    _validate(schema_type, source, random, outcome, validator)
    original = parsed_source(schema_type, before, Outcome())
    if original is not None:
        _compare(schema_type, source, original[0], outcome)
    _convert(schema_type, source, outcome)


def parsed_source(
    schema_type: SchemaType, content: bytes, outcome: Outcome
) -> tuple[SchemaSource, ParsedSchema] | None:
    """The schema as the registry keeps it; None when it is refused."""
    engine = ENGINES[schema_type]
    try:
        with outcome.timed("parse", content):
            parsed = engine.parse(SchemaSource(content))
    except InvalidSchema as error:
        outcome.counts["refused"] += 1
        if not all(issue.rule and issue.message for issue in error.issues):
            outcome.findings.append(f"refused without a reason: {error.issues} of {content!r}")
        return None
    outcome.counts["accepted"] += 1
    return SchemaSource(content, (), parsed.options, parsed.artifact), parsed


def check_canonical(
    schema_type: SchemaType, source: SchemaSource, parsed: ParsedSchema, outcome: Outcome
) -> None:
    """The canonical form is a schema that means the same."""
    engine = ENGINES[schema_type]
    with outcome.timed("parse the canonical form", source.content):
        again = engine.parse(SchemaSource(parsed.canonical, (), parsed.options), strict=False)
    assert again.fingerprints.validation == parsed.fingerprints.validation, source.content
    assert again.canonical == parsed.canonical, source.content
    canonical = SchemaSource(parsed.canonical, (), again.options, again.artifact)
    for reader, writer in ((source, canonical), (canonical, source)):
        verdict = engine.compare(reader, writer, CompareOptions()).verdict
        assert verdict is Verdict.YES, (verdict, source.content)


def _validate(
    schema_type: SchemaType, source: SchemaSource, random: Random, outcome: Outcome, validator: Any
) -> None:
    if schema_type is PROTOBUF and not CompiledSchema(source.artifact).first:
        return  # it declares no message
    bounded = ENGINES[schema_type].compile_bounded(source, 1.0)
    for payload in random.sample(PAYLOADS, 4):
        for encoding in (Encoding.AUTO, Encoding.JSON):
            with outcome.timed("validate", (source.content, payload)):
                report = validator.validate(payload, encoding=encoding)
            assert report.valid is not bool(report.errors), (source.content, payload)
            quick = bounded.validate_within(
                1.0, payload, encoding=encoding, strict=False, max_errors=20, message_name=""
            )
            assert quick is None or quick == report, (source.content, payload, quick, report)
            outcome.counts["payloads"] += 1


def _compare(schema_type: SchemaType, one: SchemaSource, other: SchemaSource, outcome: Outcome) -> None:
    engine = ENGINES[schema_type]
    with outcome.timed("diff", one.content):
        engine.diff(other, one)
    for strictness in Strictness if schema_type is PROTOBUF else [Strictness.WIRE]:
        for reader, writer in ((one, other), (other, one)):
            with outcome.timed("compare", (one.content, other.content)):
                comparison = engine.compare(reader, writer, CompareOptions(strictness))
            outcome.counts[comparison.verdict.name] += 1
            quick = engine.quick_proof(reader, writer, CompareOptions(strictness))
            assert quick in (None, comparison), (one.content, other.content)
            if comparison.verdict is not Verdict.YES:
                assert comparison.violations, (one.content, other.content)


def _convert(schema_type: SchemaType, source: SchemaSource, outcome: Outcome) -> None:
    for target in (JSON, AVRO, PROTOBUF):
        if target is schema_type:
            continue
        try:
            with outcome.timed("convert", source.content):
                conversion = convert(source, schema_type, target)
        except ConversionRefused:
            outcome.counts["conversions refused"] += 1
            continue
        outcome.counts["conversions"] += 1
        try:
            ENGINES[target].parse(SchemaSource(conversion.content))
        except InvalidSchema as error:
            raise AssertionError(
                f"{target.name} that does not register: {error}: {source.content!r} -> {conversion.content!r}"
            ) from error
        for payload in PAYLOADS[:7]:
            try:
                conversion.data.convert(payload)
            except DataRefused:
                continue


PRESENT = DATA.exists()
