"""Comments in a schema: refused, unless the engine is told to take them as Java's parser does."""

from __future__ import annotations

import json
from random import Random

import pytest

from llm_schema_engines.formats.avro import AvroEngine, AvroLimits
from llm_schema_engines.formats.avro.schema.text import COMMENT, read
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_registry_server.factories import engine_limits
from llm_schema_registry_server.settings.tree import AvroSettings, Settings
from tests.formats.avro.strategies import Maker
from tests.formats.avro.support import ENGINE

WITH_COMMENTS = AvroEngine(AvroLimits(comments=True))
TEXT = b"""// a header: "not a string
{"type": "record", /* one { */ "name": "R", // to the end "
 "fields": [{"name": "a", "type": "string", "default": "// no /* comment */"}], "doc": "a \\" // b"} /**/"""


def test_comments_are_refused_and_the_message_says_what_allows_them() -> None:
    with pytest.raises(InvalidSchema, match=r"avro\.comments"):
        ENGINE.parse(SchemaSource(TEXT))


def test_with_the_option_they_are_blanks_and_what_looks_like_them_in_strings_stays() -> None:
    parsed = WITH_COMMENTS.parse(SchemaSource(TEXT))

    tree = json.loads(parsed.canonical)
    assert tree["fields"][0]["default"] == "// no /* comment */"
    assert tree["doc"] == 'a " // b'


def test_a_stored_schema_may_have_them_whatever_the_option_says_now() -> None:
    assert ENGINE.parse(SchemaSource(TEXT), strict=False).names == ("R", "a")


def test_places_of_issues_are_those_of_the_text_with_comments() -> None:
    with pytest.raises(InvalidSchema) as raised:
        WITH_COMMENTS.parse(SchemaSource(b'/* one\n two */ {"type": "record", "name": "1", "fields": []}'))

    assert (raised.value.issues[0].line, raised.value.issues[0].column) == (2, 36)


@pytest.mark.parametrize(
    "text", [b"/*", b"/*/", b'{"type": "int"} /*', b'"int" /', b'{"type" // }', b"// only"]
)
def test_what_is_not_closed_is_no_schema(text: bytes) -> None:
    with pytest.raises(InvalidSchema):
        WITH_COMMENTS.parse(SchemaSource(text))


def test_comments_between_all_tokens_change_nothing() -> None:
    random = Random(5)
    for _ in range(50):
        text = json.dumps(Maker(random).schema(), indent=1)
        commented = text.replace("\n", " // x\n/* y */")

        assert read(commented.encode(), comments=True)[0] == json.loads(text)


@pytest.mark.parametrize("unit", ["/*", '"\\', '\\"', "/", "//", "/**/", '"/*'])
def test_every_character_is_looked_at_by_one_match(unit: str) -> None:
    """What is not closed reaches to the end: no second match starts inside it, so that the work is linear."""
    text = unit * 2000
    ends = [found.end() for found in COMMENT.finditer(text)]
    starts = [found.start() for found in COMMENT.finditer(text)]

    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    unmatched = COMMENT.sub("", text)
    assert not unmatched.strip("/*\\"), unmatched[:40]


def test_the_setting_reaches_the_engine() -> None:
    settings = Settings(avro=AvroSettings(comments=True))

    assert engine_limits(settings).avro.comments
    assert not engine_limits(Settings()).avro.comments
