"""Strings that are not UTF-8: refused in every syntax, wherever they are, and never the end of a process."""

from __future__ import annotations

import pytest

from llm_schema_engines.formats.protobuf.decoded import missing_required
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.validation import Encoding
from tests.formats.protobuf.kit import ENGINE, parse, source

TEXT = (
    'syntax = "proto2"; message M { optional string s = 1; repeated string r = 2; map<string, R> m = 3;'
    " map<int32, string> v = 4; optional M n = 5; optional bytes b = 6; extensions 100; }"
    " message R { required int32 a = 1; } extend M { optional string x = 100; }"
)
BAD = b"\xff"


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"\x0a\x01" + BAD, "/s"),
        (b"\x12\x01a\x12\x01" + BAD, "/r/1"),
        (b"\x1a\x07\x0a\x01" + BAD + b"\x12\x02\x08\x01", "/m/\\xff"),
        (b"\x22\x05\x08\x07\x12\x01" + BAD, "/v/7"),
        (b"\x2a\x03\x0a\x01" + BAD, "/n/s"),
        (b"\xa2\x06\x01" + BAD, "/[x]"),
    ],
)
def test_bytes_are_no_text(payload: bytes, path: str) -> None:
    report = ENGINE.compile_validator(source(TEXT)).validate(payload, encoding=Encoding.BINARY)

    assert not report.valid
    assert report.errors[0].path == path
    assert "UTF-8" in report.errors[0].message


def test_bytes_stay_bytes() -> None:
    assert ENGINE.compile_validator(source(TEXT)).validate(b"\x32\x01" + BAD, encoding=Encoding.BINARY).valid


def test_required_fields_below_a_key_that_is_no_text_are_named() -> None:
    kind = CompiledSchema(parse(TEXT).artifact).message("M")
    assert kind is not None

    message = kind.FromString(b"\x2a\x07\x1a\x05\x0a\x01" + BAD + b"\x12\x00")

    assert missing_required(message) == ["n.m[\\xff].a"]
