"""Real schemas of other projects, when they are there: each converts into schemas that the target's engine accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_schema_engines.formats.conversion import convert
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF, source, there

DATA = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(not DATA.exists(), reason="the schemas of other projects are not there"),
]


def newest(name: str) -> list[str]:
    """The newest revision of each file of a corpus."""
    found: dict[str, str] = {}
    for line in (DATA / name).read_text().splitlines():
        pair = json.loads(line)
        new = pair["new"]
        found[pair["path"]] = new if isinstance(new, str) else json.dumps(new)
    return list(found.values())


def test_the_schemas_of_schemastore_become_avro_and_protobuf() -> None:
    converted = 0
    for text in newest("schemastore-pairs.jsonl"):
        try:
            given = source(JSON, text)
        except InvalidSchema:
            continue  # mostly drafts that the registry does not read
        for target in (AVRO, PROTOBUF):
            source(target, convert(given, JSON, target).content)
            converted += 1

    assert converted >= 150


def test_the_messages_of_googleapis_become_avro_and_json_schema_and_come_back() -> None:
    converted = 0
    for text in newest("googleapis-pairs.jsonl"):
        try:
            given = source(PROTOBUF, text)
        except InvalidSchema:
            continue  # its imports are not there
        if "message " not in text:
            continue
        for target in (AVRO, JSON):
            content = convert(given, PROTOBUF, target).content
            source(PROTOBUF, there(target, content, PROTOBUF).content)
            converted += 1

    assert converted >= 150
