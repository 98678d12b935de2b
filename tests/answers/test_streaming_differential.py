"""Documents in pieces against the ordinary validator: the official suite, random schemas of all keywords, real schemas."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from llm_schema_engines.answers.schema import StreamingSchema
from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema.dialects import URIS, Dialect
from tests.formats.json_schema import oracles, suite
from tests.formats.json_schema.build import ENGINE
from tests.formats.json_schema.test_differential import Generator

from .streams import COMPLETE, TAILS, contradictions, judged, outcome, spelled

GROUPS = [("", "DIALECT"), ("optional", "DIALECT"), ("optional/format", "ASSERT")]


@pytest.mark.skipif(not suite.PRESENT, reason="the official suite is not beside the repository")
@pytest.mark.parametrize("dialect", [*suite.OLDER, *suite.DRAFTS])
def test_the_official_suite_is_judged_right_at_every_cut(dialect: str) -> None:
    counts: Counter[str] = Counter()
    wrong = []
    for group, policy in GROUPS:
        for case in suite.cases(dialect, group, policy):
            try:
                schema = StreamingSchema(case.source)
                validator = ENGINE.compile_validator(case.source)
            except InvalidSchema:
                counts["refused"] += 1
                continue
            assert schema.reason == "", case.name
            for description, data, valid in case.tests:
                raw = json.dumps(data).encode()
                found = [outcome(judged(schema, raw, size)) for size in (1, 3, 64, 100_000)]
                right = (found[0][0] is COMPLETE) is validator.validate(raw).valid
                if not right or any(each != found[0] for each in found):
                    wrong.append(f"{case.name}: {description}: {found}")
                counts["valid" if valid else "invalid"] += 1

    print(dict(counts))
    assert wrong == []
    assert counts["valid"] + counts["invalid"] > 1_400 + 600 * (dialect in ("2019-09", "2020-12"))


def examine(
    dialect: Dialect, schemas: int, seed: int, *, strict: bool = False
) -> tuple[Counter[str], list[str]]:
    """Random schemas of all keywords, with random documents: counts, and contradictions."""
    generator = Generator(dialect, seed)
    random = generator.random
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    while counts["schemas"] < schemas:
        document = generator.document()
        source = SchemaSource(json.dumps(document).encode(), (), {"dialect": dialect.uri})
        try:
            ENGINE.parse(source)
            schema = StreamingSchema(source)
        except InvalidSchema:
            continue
        counts["schemas"] += 1
        texts = [spelled(random, generator.value()) for _ in range(12)]
        tails = [*TAILS, *(text[random.randint(0, len(text)) :] for text in texts)]
        for text in texts:
            found = contradictions(schema, text, random, tails, strict=strict)
            wrong += [f"{one}: {text!r} under {json.dumps(document)}" for one in found]
            counts["documents"] += 1
    return counts, wrong


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("dialect", URIS)
def test_random_schemas_of_all_keywords(dialect: Dialect, strict: bool) -> None:
    counts, wrong = examine(dialect, 60, 5, strict=strict)

    print(dict(counts))
    assert wrong == []


@pytest.mark.deep
@pytest.mark.parametrize("dialect", URIS)
def test_many_random_schemas_of_all_keywords(dialect: Dialect) -> None:
    counts, wrong = examine(dialect, 5_000, 17)

    print(dict(counts))
    assert wrong == []


def real_schemas(most: int) -> list[tuple[str, str]]:
    """Dialect and text of real schemas, the last revision of each."""
    out = []
    for line in (suite.ROOT.parent / "schemastore-pairs.jsonl").read_text(encoding="utf-8").splitlines():
        schema = json.loads(line)["new"]
        text = schema if isinstance(schema, str) else json.dumps(schema)
        if len(text) <= most:
            declared = json.loads(text).get("$schema", "")
            dialects = {uri: dialect for dialect, uri in URIS.items()}
            dialect = dialects.get(declared) or dialects.get(declared + "#")
            if dialect is not None:
                out.append((dialect.uri, text))
    return out


def examine_real(most: int, documents: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Real schemas with documents made for them, and with what else of other schemas: counts, and contradictions."""
    random = Random(seed)
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for dialect, text in real_schemas(most):
        source = SchemaSource(text.encode(), (), {"dialect": dialect})
        try:
            ENGINE.parse(source)
            schema = StreamingSchema(source)
        except InvalidSchema:
            counts["refused"] += 1
            continue
        root = json.loads(text)
        texts = [spelled(random, oracles.instance(random, root, root)) for _ in range(documents)]
        tails = [*TAILS, *(each[random.randint(0, len(each)) :] for each in texts[:5])]
        for each in texts:
            valid = judged(schema, each, 1).status is COMPLETE
            counts["valid" if valid else "invalid"] += 1
            found = contradictions(schema, each, random, tails)
            wrong += [f"{one}: {each!r} under {text:.200}" for one in found]
    return counts, wrong


@pytest.mark.skipif(not suite.PRESENT, reason="the data is not beside the repository")
def test_real_schemas_with_documents_made_for_them() -> None:
    counts, wrong = examine_real(4_000, 25, 3)

    print(dict(counts))
    assert wrong == []
    assert counts["valid"] > 300


@pytest.mark.deep
@pytest.mark.skipif(not suite.PRESENT, reason="the data is not beside the repository")
def test_all_real_schemas_with_many_documents() -> None:
    counts, wrong = examine_real(10_000_000, 100, 11)

    print(dict(counts))
    assert wrong == []


def real_documents() -> list[tuple[str, bytes]]:
    """Real schemas are documents of the metaschema of their dialect."""
    return [(dialect, text.encode()) for dialect, text in real_schemas(10_000_000)]


def metaschema(dialect: str) -> StreamingSchema:
    """The metaschema of a dialect, by a reference to it."""
    return StreamingSchema(SchemaSource(json.dumps({"$ref": dialect}).encode(), (), {"dialect": dialect}))


def examine_metaschemas(documents: list[tuple[str, bytes]]) -> tuple[int, list[str]]:
    """How many valid real documents came byte by byte without a contradiction."""
    schemas = {dialect: metaschema(dialect) for dialect, _ in documents}
    done, wrong = 0, []
    for dialect, text in documents:
        schema = schemas[dialect]
        valid = schema.validator().validate(text).valid
        stream = judged(schema, text, 1)
        if (stream.status is COMPLETE) is not valid:
            wrong.append(f"{text[:100]!r}: {stream.error}")
        done += valid
    return done, wrong


@pytest.mark.skipif(not suite.PRESENT, reason="the data is not beside the repository")
def test_real_documents_come_byte_by_byte() -> None:
    documents = sorted(real_documents(), key=lambda each: len(each[1]))[:120]

    done, wrong = examine_metaschemas(documents)

    assert wrong == []
    assert done > 100


@pytest.mark.deep
@pytest.mark.skipif(not suite.PRESENT, reason="the data is not beside the repository")
def test_all_real_documents_come_byte_by_byte() -> None:
    done, wrong = examine_metaschemas(real_documents())

    print(done)
    assert wrong == []
