"""Readers of JSON and Protobuf text: whatever the text, cost grows with its length."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from llm_schema_engines.api.detection import detect
from llm_schema_engines.errors import RegistryError
from llm_schema_engines.formats.avro.schema import text as avro_text
from llm_schema_engines.formats.json_schema import reading
from llm_schema_engines.formats.protobuf import json_data, lexer
from llm_schema_engines.formats.protobuf.limits import ProtobufLimits
from llm_schema_engines.formats.protobuf.validator import _nesting as protobuf_nesting
from llm_schema_registry_server.transports.http import json_text

from .measure import LIMIT, memory_growth, time_growth

Make = Callable[[int], bytes]

JSON: dict[str, Make] = {
    "a text that is not closed": lambda n: b'"' + b"a" * n,
    "escaped quotes in a text that is not closed": lambda n: b'["' + b'\\"' * (n // 2),
    "brackets and escaped quotes in a text that is not closed": lambda n: (
        b"[" * 200 + b'"' + b'\\"[' * (n // 3)
    ),
    "brackets, and a text of backslashes": lambda n: b"[" * 200 + b'"' + b"\\" * n,
    "brackets, quotes and backslashes in turn": lambda n: b"[" * 200 + b'"\\' * (n // 2),
    "brackets and nothing but quotes": lambda n: b"[" * 200 + b'"' * n,
    "opening brackets": lambda n: b"[" * n,
    "pairs of brackets": lambda n: b"[]" * (n // 2),
    "empty lists": lambda n: b"[" + b"[]," * (n // 3) + b"[]]",
    "a key that comes twice at the end": lambda n: (
        b"{" + b",".join(b'"k%d":1' % i for i in range(n // 9)) + b',"k0":2}'
    ),
    "one key again and again": lambda n: b"{" + b",".join([b'"k":1'] * (n // 6)) + b"}",
    "a long key around many values, and a key twice": lambda n: (
        b'{"' + b"k" * (n // 2) + b'":[' + b"1," * (n // 4) + b'{"a":1,"a":2}]}'
    ),
    "long keys in each other around many values, and a key twice": lambda n: (
        b'{"%s":' % (b"k" * (n // 100)) * 50 + b"[" + b"1," * (n // 4) + b'{"a":1,"a":2}]' + b"}" * 50
    ),
    "a long key around many values, and half of a pair": lambda n: (
        b'{"' + b"k" * (n // 2) + b'":[' + b"1," * (n // 4) + b'"\\ud800"]}'
    ),
    "a number of many digits": lambda n: b"1" * n,
    "a fraction of many digits": lambda n: b"0." + b"1" * n,
    "an exponent of many digits": lambda n: b"1e" + b"9" * n,
    "numbers as long as they may be": lambda n: b"[" + (b"1" * 399 + b",") * (n // 400) + b"1]",
    "spaces": lambda n: b" " * n + b"x",
    "lines": lambda n: b"\n" * n + b"[1,2",
    "halves of pairs": lambda n: b'["' + b"\\ud800" * (n // 6) + b'"]',
    "pairs": lambda n: b'["' + b"\\ud83d\\ude00" * (n // 12) + b'"]',
    "texts": lambda n: b'["' + b'","' * (n // 3) + b'"]',
    "a key with escapes, twice": lambda n: b'{"a":"' + b'a\\"' * (n // 3) + b'","a":1}',
    "invalid UTF-8 at the end": lambda n: b'"' + b"\n" * n + b"\xff",
}
PROTOBUF: dict[str, Make] = {
    "comments that are not closed": lambda n: b"/*" * (n // 2),
    "a text that is not closed": lambda n: b'"' + b'\\"' * (n // 2),
    "quotes": lambda n: b'"a' * (n // 2),
    "a comment of stars": lambda n: b"/*" + b"*" * n,
    "slashes": lambda n: b"/ " * (n // 2),
    "dots": lambda n: b"." * n,
    "a dotted name": lambda n: b"a." * (n // 2),
    "opening brackets": lambda n: b"{" * n,
    "semicolons": lambda n: b";" * n,
    "an import in many pieces": lambda n: b"import " + b'"a"' * (n // 3),
    "imports without paths": lambda n: b";import public" * (n // 14),
    "comments": lambda n: b"/**/" * (n // 4),
    "spaces in a comment": lambda n: b"/*" + b" \n" * (n // 2) + b"*/",
}
WIDE = ProtobufLimits(source=1 << 30, identifier=1 << 30, statements=1 << 30, names=1 << 60)


def read_json(content: bytes) -> None:
    with contextlib.suppress(reading.JsonReadError):
        reading.read(content, max_bytes=1 << 30, max_depth=100, max_digits=400)


def read_avro(content: bytes) -> None:
    with contextlib.suppress(avro_text.InvalidJsonText):
        _, text, repeated = avro_text.read(content)
        if repeated:
            avro_text.repeated_keys(text, 100)


def read_protobuf_json(content: bytes) -> None:
    protobuf_nesting(content, len(content))
    with contextlib.suppress(json_data.InvalidJson):
        json_data.load(content)


def read_body(content: bytes, at_once: int = 1 << 30) -> None:
    """As the decoder in C does it."""
    with contextlib.suppress(RegistryError), mock.patch.object(json_text, "_AT_ONCE", at_once):
        json_text.decode(content, most_values=1 << 30)


def read_body_patiently(content: bytes) -> None:
    """In the small steps that large bodies are read in: another, slower way, whose growth is measured by itself."""
    read_body(content, at_once=0)


def tell_type(content: bytes) -> None:
    with contextlib.suppress(RegistryError):
        detect(content)


def scan(content: bytes) -> None:
    with contextlib.suppress(RegistryError):
        lexer.scan(content, WIDE)


READERS: dict[str, Callable[[bytes], Any]] = {
    "json schema": read_json,
    "avro": read_avro,
    "protobuf json": read_protobuf_json,
    "http body": read_body,
    "large http body": read_body_patiently,
    "detect": tell_type,
}
CASES = [
    pytest.param(make, READERS[reader], id=f"{reader}: {name}")
    for name, make in JSON.items()
    for reader in READERS
] + [pytest.param(make, scan, id=f"protobuf: {name}") for name, make in PROTOBUF.items()]


@pytest.mark.parametrize(("make", "run"), CASES)
def test_time_grows_with_the_text(make: Make, run: Callable[[bytes], Any]) -> None:
    assert time_growth(make, run, 2_000, 600_000) <= LIMIT


@pytest.mark.parametrize(("make", "run"), CASES)
def test_memory_grows_with_the_text(make: Make, run: Callable[[bytes], Any]) -> None:
    assert memory_growth(make, run, 4_000) <= LIMIT
