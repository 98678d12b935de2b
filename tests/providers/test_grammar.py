"""Grammars: they accept the texts of valid values and refuse those of others. The judges are Python's `re` and
llguidance."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_engines import GrammarSyntax, InvalidRequest, LossEffect, Verdict, grammar_for, validate
from tests.formats.json_schema.oracles import instance
from tests.integrations.kit import library

CLOSED = {"additionalProperties": False}
SCHEMAS: dict[str, Any] = {
    "object": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "null"}}, "required": ["b"], **CLOSED},
    "all optional": {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "number"}}, **CLOSED},
    "open": {"type": "object", "properties": {"a": {"type": "integer"}, "ab": {"type": "integer"}, 'q"\n': {"type": "integer"}}, "additionalProperties": {"type": "string"}},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "enum": {"enum": ["a", 1, 1.5, None, True, 'q"\\', "é"]},
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 1, "maxItems": 2},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$"},
    "found pattern": {"type": "string", "pattern": "a.c|^x"},
    "lengths": {"type": "string", "minLength": 2, "maxLength": 4},
    "unions": {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "object", "properties": {"k": {"const": "x"}}, "required": ["k"], **CLOSED}]},
    "range": {"type": "integer", "minimum": 2, "maximum": 7, "multipleOf": 2},
    "nested": {"type": "array", "items": {"type": "object", "properties": {"t": {"type": ["string", "null"]}, "n": {"type": "array", "items": {"type": "boolean"}}}, "required": ["t"], **CLOSED}},
}  # fmt: skip
RECURSIVE = {
    "tree": {"type": "object", "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#"}}}, "required": ["v"], **CLOSED},
    "anything": {"type": "array", "items": {}},
    "list": {"$ref": "#/$defs/l", "$defs": {"l": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/l"}}, "required": ["next"], **CLOSED}]}}},
}  # fmt: skip


def in_order(schema: Any, value: Any) -> bool:
    """Whether the keys of the value come as the schema declares them, which is the order of the grammar."""
    if isinstance(value, dict):
        names = list(schema.get("properties", {})) if isinstance(schema, dict) else []
        ranks = [names.index(name) if name in names else len(names) for name in value]
        if ranks != sorted(ranks):
            return False
    return True


def texts(schema: Any, count: int, seed: int) -> list[tuple[bytes, bool]]:
    """Texts of values, valid and not, whose keys are in the order of the schema at every level."""
    r, found = random.Random(seed), []
    for number in range(count):
        value = instance(r, schema, schema)
        if not in_order(schema, value) or ("zz" in json.dumps(value) and "properties" not in schema):
            continue
        text = json.dumps(value, ensure_ascii=False, indent=2 if number % 5 == 0 else None).encode()
        found.append((text, bool(validate(json.dumps(schema), text))))
    found += [(text, bool(validate(json.dumps(schema), text))) for text in TEXTS]
    return found


TEXTS = (
    b'"AB-12"',
    b'"AB-"',
    b'"xaxc"',
    b'"a\\nc"',
    b'"a\tc"',
    b'"a\\"c"',
    '"\u00e9\u20ac\U0001f600"'.encode(),
    b"4",
    b"[4, null]",
)


def judge_of_regex(schema: Any) -> Callable[[bytes], bool]:
    pattern = re.compile(grammar_for(json.dumps(schema), "REGEX").text)
    return lambda text: pattern.fullmatch(text.decode()) is not None


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_a_regular_expression_accepts_what_is_valid_and_nothing_else(name: str) -> None:
    schema = SCHEMAS[name]
    accepts = judge_of_regex(schema)
    tried = texts(schema, 300, 7)

    for text, valid in tried:
        assert accepts(text) is valid, text
    assert any(valid for _, valid in tried)
    assert any(not valid for _, valid in tried)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("object", b'{"b":1,"a":"x"}'),  # out of order
        ("object", b'{"b":01}'),
        ("object", b'{"b":1,}'),
        ("object", b'{,"b":1}'),
        ("object", b'{"b":1 "c":null}'),
        ("open", b'{"a":"x"}'),
        ("open", b'{"ab":"x"}'),
        ("open", b'{"q\\"\\n":"x"}'),
        ("array", b"[1,]"),
        ("lengths", b'"\\ud800a"'),
        ("lengths", b'"a\nb"'),
        ("enum", b'"\\"'),
        ("pattern", b'"AB-1\\n"'),
    ],
)
def test_a_text_that_is_no_valid_value_is_refused(name: str, text: bytes) -> None:
    assert not judge_of_regex(SCHEMAS[name])(text)


def test_names_that_are_not_declared_are_told_from_those_that_are() -> None:
    accepts = judge_of_regex(SCHEMAS["open"])

    for name in ("", "b", "aa", "abc", "A", 'q"', "q", 'q"\nx', "\\"):
        assert accepts(json.dumps({name: "x"}).encode()), name


def test_what_a_grammar_does_not_hold_is_told() -> None:
    grammar = grammar_for(
        '{"type": "array", "items": {"type": "number", "minimum": 3}, "uniqueItems": true}', "gbnf"
    )

    assert [(loss.effect, loss.pointer) for loss in grammar.losses] == [
        (LossEffect.WIDENED, "/items/minimum"),
        (LossEffect.WIDENED, "/uniqueItems"),
    ]
    assert (grammar.widened, grammar.narrowed) == (Verdict.NO, Verdict.YES)
    exact = grammar_for(json.dumps(SCHEMAS["nested"]), GrammarSyntax.LARK)
    assert (exact.widened, exact.narrowed) == (Verdict.YES, Verdict.YES)


@pytest.mark.parametrize("pattern", ["a(^b)", r"\bx"])
def test_a_pattern_that_cannot_be_written_is_a_loss(pattern: str) -> None:
    grammar = grammar_for(json.dumps({"type": "string", "pattern": pattern}), "LARK")

    assert [loss.pointer for loss in grammar.losses] == ["/pattern"]


@pytest.mark.parametrize("name", list(RECURSIVE))
def test_a_recursion_has_a_grammar_and_no_regular_expression(name: str) -> None:
    assert "r1" in grammar_for(json.dumps(RECURSIVE[name]), "GBNF").text
    with pytest.raises(InvalidRequest, match="ask for GBNF or LARK"):
        grammar_for(json.dumps(RECURSIVE[name]), "REGEX")


def test_a_regular_expression_that_would_be_too_large_is_refused() -> None:
    schema: Any = {"type": "string"}
    for _ in range(4):
        schema = {"type": "object", "properties": dict.fromkeys("abcd", schema), **CLOSED}
    with pytest.raises(InvalidRequest, match="more than 1000000 characters"):
        grammar_for(json.dumps(schema), "REGEX", prove_seconds=0)


@pytest.mark.parametrize("names", [["x" * 201], [f"n{number}" for number in range(201)]])
def test_names_that_cannot_be_told_from_others_are_refused_with_the_way_out(names: list[str]) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}

    with pytest.raises(InvalidRequest, match="close it with additionalProperties false"):
        grammar_for(json.dumps(schema), "LARK", prove_seconds=0)
    assert grammar_for(json.dumps({**schema, **CLOSED}), "LARK", prove_seconds=0).text


@pytest.mark.parametrize("syntax", ["GBNF", "LARK"])
@pytest.mark.parametrize("name", [*SCHEMAS, *RECURSIVE])
def test_llguidance_accepts_what_is_valid_and_nothing_else(name: str, syntax: str) -> None:
    llguidance = library("llguidance")
    schema = {**SCHEMAS, **RECURSIVE}[name]
    text = grammar_for(json.dumps(schema), syntax).text
    lark = library("llguidance.gbnf_to_lark").gbnf_to_lark(text) if syntax == "GBNF" else text
    matcher = _matcher(llguidance, llguidance.LLMatcher.grammar_from_lark(lark))

    for document, valid in texts(schema, 60, 9):
        if syntax == "GBNF" and b"\n" in document:
            continue  # the converter makes lexemes of whole rules, which take the white space that stands before a bracket
        assert _accepts(matcher, document) is valid, document


class _Bytes:
    """A vocabulary of the 256 bytes and an end."""

    eos_token_id = 256
    bos_token_id = None
    tokens = (*(bytes([n]) for n in range(256)), b"<end>")
    special_token_ids = (256,)

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


def _matcher(llguidance: Any, grammar: Any) -> Any:
    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Bytes()))
    matcher = llguidance.LLMatcher(tokenizer, grammar)
    assert not matcher.is_error(), matcher.get_error()
    return matcher


def _accepts(matcher: Any, document: bytes) -> bool:
    trial = matcher.deep_copy()
    return trial.try_consume_tokens(list(document)) == len(document) and bool(trial.is_accepting())


@pytest.mark.parametrize("length", [16, 17, 60, 200])
def test_long_names_are_told_from_others(length: int) -> None:
    llguidance = library("llguidance")
    name = "x" * length
    schema = {"type": "object", "properties": {name: {"type": "null"}, name[:-2]: {"type": "null"}}}
    grammar = grammar_for(
        json.dumps({**schema, "additionalProperties": {"type": "boolean"}}), "LARK", prove_seconds=0
    )
    matcher = _matcher(llguidance, grammar.text)

    for key in (name, name[:-2]):
        assert _accepts(matcher, json.dumps({key: None}).encode())
        assert not _accepts(matcher, json.dumps({key: True}).encode())
    for key in ("", "x", name[:-1], name + "x", name[:-1] + "y", "y" + name, name[: length // 2]):
        assert _accepts(matcher, json.dumps({key: True}).encode()), key
        assert not _accepts(matcher, json.dumps({key: None}).encode()), key


def test_random_names_are_told_from_others() -> None:
    r = random.Random(1)
    for _ in range(40):
        names = sorted({"".join(r.choices("ab", k=r.choice([0, 1, 2, 3, 20]))) for _ in range(4)})
        schema = {"type": "object", "properties": {key: {"type": "null"} for key in names}}
        whole = {**schema, "additionalProperties": {"type": "boolean"}}
        expression = re.compile(grammar_for(json.dumps(whole), "REGEX", prove_seconds=0).text)
        keys = {*names, *(name[:-1] for name in names), *(name + r.choice("ab") for name in names), "ba"}
        for key in keys:
            assert bool(expression.fullmatch(json.dumps({key: None}))) is (key in names)
            assert bool(expression.fullmatch(json.dumps({key: True}))) is (key not in names)


@pytest.mark.parametrize(
    ("schema", "valid", "others"),
    [
        ({"type": "string", "maxLength": 0}, '""', ['"a"']),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, "[1]", ["[1,2]"]),
        (
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 1},
            "[1]",
            ["[]", "[1,2]"],
        ),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, "[]", ["[1]"]),
        ({"type": "string", "pattern": "^a{0}b{0,0}c$"}, '"c"', ['"abc"']),
    ],
)
def test_what_comes_no_times_is_left_out(schema: Any, valid: str, others: list[str]) -> None:
    llguidance = library("llguidance")
    matcher = _matcher(llguidance, grammar_for(json.dumps(schema), "LARK", prove_seconds=0).text)
    gbnf = grammar_for(json.dumps(schema), "GBNF", prove_seconds=0).text

    assert _accepts(matcher, valid.encode())
    assert not any(_accepts(matcher, other.encode()) for other in others)
    assert re.search(r"\{0(,0)?\}", gbnf) is None


def test_a_listed_value_that_a_pattern_refuses_is_not_in_the_grammar() -> None:
    schema = {"enum": ["ab", "b", 3], "pattern": "^a", "maximum": 2}

    assert grammar_for(json.dumps(schema), "REGEX", prove_seconds=0).text.count("b") == 1
