"""What comes out of a subprocess is the expected value, or refused: never code, never a value of another shape."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Verdict,
    Violation,
    Witness,
)
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server import errors
from llm_schema_registry_server.errors import RegistryError
from llm_schema_registry_server.workers.codec import (
    LENGTH,
    MalformedValue,
    dump,
    load,
)
from llm_schema_registry_server.workers.messages import decode_answer, encode_answer
from llm_schema_registry_server.workers.tasks import Compare, Parse

SOURCE = SchemaSource(b"{}")
PARSE = Parse(SchemaType.JSON, SOURCE, True)
COMPARE = Compare(SchemaType.JSON, SOURCE, SOURCE, CompareOptions())


@pytest.mark.slow
@settings(max_examples=100)
@given(st.builds(Comparison, violations=st.lists(st.from_type(Violation), max_size=3).map(tuple)))
def test_every_comparison_survives_the_journey(comparison: Comparison) -> None:
    assert decode_answer(COMPARE, encode_answer(comparison)) == comparison


@settings(max_examples=50)
@given(st.from_type(ParsedSchema))
def test_every_parsed_schema_survives_the_journey(parsed: ParsedSchema) -> None:
    assert decode_answer(PARSE, encode_answer(parsed)) == parsed


def said(text: str, blobs: bytes = b"", verdict: bytes = b"+") -> bytes:
    return verdict + LENGTH.pack(len(text)) + text.encode() + blobs


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"+",
        b"+\x00\x00\x00",
        b"+\xff\xff\xff\xff[[],null]",
        pickle.dumps(Comparison(Verdict.YES)),
        said("[[],[1,[]]]", verdict=b"!"),
        said("[[],[1,[]]"),
        said("[[5],[1,[]]]"),
        said("[[],[1,[]]]", b"unannounced"),
        said("[[-1,1],[1,[]]]"),
        said("[[true],[1,[]]]", b"x"),
        said("[" * 100_000),
        said("[[]," + "9" * 10_000 + "]"),
        said("null"),
        said("[{},[]]"),
    ],
    ids=repr,
)
def test_bytes_that_are_no_answer_are_refused(payload: bytes) -> None:
    with pytest.raises(MalformedValue):
        decode_answer(COMPARE, payload)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused(payload: bytes) -> None:
    for verdict in (b"+", b"-"):
        with pytest.raises(MalformedValue):
            decode_answer(COMPARE, verdict + payload)


VIOLATION = ["r", "p", "m", 1, "", "", None, False, None, ""]


def violation(index: int, value: object) -> object:
    return [1, [[*VIOLATION[:index], value, *VIOLATION[index + 1 :]]]]


@pytest.mark.parametrize(
    ("verdict", "tree"),
    [
        (b"+", [9, []]),
        (b"+", [1, {}]),
        (b"+", ["1", []]),
        (b"+", [1, [], []]),
        (b"+", violation(0, None)),
        (b"+", violation(3, [1])),
        (b"+", violation(6, [0, "a blob that is not there"])),
        (b"+", violation(6, [-1, "text"])),
        (b"+", violation(6, [True, "text"])),
        (b"+", violation(7, 1)),
        (b"+", violation(8, "sideways")),
        (b"+", None),
        (b"-", ["BaseException", "m", [], {}, []]),
        (b"-", ["enum", "m", [], {}, []]),
        (b"-", ["__builtins__", "m", [], {}, []]),
        (b"-", ["InvalidSchema", "m", [], {"a": 1}, []]),
        (b"-", ["InvalidSchema", "m", ["x"], {}, []]),
    ],
)
def test_a_tree_of_another_shape_is_refused(verdict: bytes, tree: object) -> None:
    with pytest.raises(MalformedValue):
        decode_answer(COMPARE, said(json.dumps([[], tree]), verdict=verdict))


def test_the_trees_of_these_tests_are_right_but_for_their_faults() -> None:
    tree = violation(6, [0, "text"])
    answer = decode_answer(COMPARE, said(json.dumps([[2], tree]), b"\xff\x00"))

    assert isinstance(answer, Comparison)
    assert answer.violations[0].witness == Witness(b"\xff\x00", "text")


def test_text_that_is_no_unicode_survives() -> None:
    comparison = Comparison(Verdict.NO, (Violation("R", "/\ud800", "lone \udfff"),))

    assert decode_answer(COMPARE, encode_answer(comparison)) == comparison


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(MalformedValue):
        decode_answer(PARSE, encode_answer(Comparison(Verdict.YES)))


def test_a_type_that_cannot_cross_is_found_when_it_is_first_used() -> None:
    with pytest.raises(TypeError, match="cannot cross"):
        load(object, dump(None))


@pytest.mark.parametrize(
    "kind", [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, RegistryError)]
)
def test_every_error_of_the_family_keeps_class_message_and_facts(kind: type[RegistryError]) -> None:
    error = kind.__new__(kind)
    RegistryError.__init__(error, "why", violations=(errors.FieldViolation("f", "d"),), a="b", n=1)
    if isinstance(error, errors.InvalidSchema):
        # The class makes its message of the issues; here any message must survive.
        error.issues = (errors.SchemaIssue("R", "m", "/p", 1, 2),)
    there = decode_answer(PARSE, encode_answer(error))

    assert type(there) is kind
    assert isinstance(there, RegistryError)
    assert (there.message, str(there), there.violations) == ("why", "why", error.violations)
    assert (there.metadata, there.code, there.reason) == ({"a": "b", "n": "1"}, kind.code, kind.reason)
    assert getattr(there, "issues", None) == getattr(error, "issues", None)
