"""Options that hold no text: protoc ends its process over them. Escapes are read as protoc reads them."""

from __future__ import annotations

import pytest

from llm_schema_engines.errors import InvalidSchema
from tests.formats.protobuf.kit import parse

NO_TEXT = [
    r'"\377"',
    r'"\xff"',
    r'"\Xff"',
    r"'\377'",
    r'"\3777"',
    r'"\303"',
    r'"\303" "x" "\251"',
    r'"\ud800"',
    r'"\udc00x"',
    r'"\udc00\ud800"',
    r'"a" "\"\377\001"',
]
TEXT = [
    r'"\477"',  # octal escapes count modulo 256
    r'"\x0ff"',
    r'"\37"',
    r'"\303\251"',
    r'"\303" "\251"',
    r'"\303" /* the rest: */ ' + r"'\251'",
    r'"\ud83d\ude00"',
    r'"\U0001F600"',
    r'"\\377"',
    '"é\\n"',
]
OPTION = """syntax = "proto3"; package p; import "google/protobuf/descriptor.proto";
message Value {{ string text = 1; repeated Value inner = 2; }}
extend google.protobuf.MessageOptions {{ string text = 50000; Value value = 50001; }}
message M {{ {} }}"""
PLACES = {
    "an option": "option (text) = {};",
    "a part of an option": "option (value).text = {};",
    "a message": "option (value) = {{ text: {} }};",
    "a message in a list": "option (value) = {{ inner [ {{ text: {} }} ] }};",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("literal", NO_TEXT)
def test_an_option_that_is_no_text_is_refused_where_it_stands(place: str, literal: str) -> None:
    with pytest.raises(InvalidSchema) as refused:
        parse(OPTION.format(PLACES[place].format(literal)))

    issue = refused.value.issues[0]
    assert issue.rule == "NOT_UTF8"
    assert issue.line == 4


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("literal", TEXT)
def test_an_option_that_is_text_is_read(place: str, literal: str) -> None:
    assert parse(OPTION.format(PLACES[place].format(literal)))


def test_the_default_of_bytes_may_be_anything() -> None:
    parsed = parse(r'syntax = "proto2"; message M { optional bytes b = 1 [default = "\377\xfe"]; }')

    assert rb"\377\376" in parsed.canonical


def test_many_literals_beside_each_other_are_joined_once() -> None:
    parts = " ".join([r'"\303"', r'"\251"'] * 20_000)

    assert parse(OPTION.format(f"option (text) = {parts};"))
