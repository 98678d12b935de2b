"""What comes out of a subprocess is the expected value, or refused: never code, never a value of another shape."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import ParsedSchema, ReferencedSchema, SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Verdict,
    Violation,
    Witness,
)
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_registry_server import errors
from llm_schema_registry_server.errors import RegistryError
from llm_schema_registry_server.workers.codec import (
    MAX_VALUES,
    MalformedValue,
    dump,
    load,
)
from llm_schema_registry_server.workers.messages import (
    HEADER,
    MAX_FRAME,
    Request,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
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


def comparison(**fields: object) -> dict[str, object]:
    return {"verdict": 2, "violations": [{"rule": "r", "path": "p", "message": "m", **fields}]}


FINE = msgspec.json.encode(comparison(witness={"data": b"\xff\x00", "text": "t"}))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"+",
        b"+[]",
        b"+null",
        b"!" + FINE,
        b"+" + FINE[:-1],
        b"+" + FINE + b"x",
        b"+~",
        b"+~~" + FINE,
        b"+" + b"[" * 100_000,
        b'+{"verdict":1,"x":' + b"[" * 100_000,
        b'+{"verdict":1,"x":' + b'{"x":' * 100_000,
        b'+{"verdict":' + b"9" * 10_000 + b"}",
        b'+{"verdict":1e999999999}',
        b'+{"verdict":1,"violations":[{"rule":"\xff","path":"","message":""}]}',
        b'+{"verdict":1,"violations":[{"rule":"\\ud800","path":"","message":""}]}',
        b'+~{"verdict":1,"violations":[{"rule":"\xc3\xbf","path":"","message":""}]}',
        b'+~{"verdict":1,"violations":[{"rule":"\xe2\x82\xac","path":"","message":""}]}',
        pickle.dumps(Comparison(Verdict.YES)),
        b"+" + msgspec.msgpack.encode(Comparison(Verdict.YES)),
        b"+\xdd\xff\xff\xff\xff",
    ],
    ids=lambda payload: repr(payload[:40]),
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


@pytest.mark.slow
@settings(max_examples=500)
@given(st.data())
def test_a_right_answer_with_bytes_changed_is_refused_or_is_a_value_of_the_right_types(
    data: st.DataObject,
) -> None:
    payload = bytearray(encode_answer(data.draw(st.from_type(ParsedSchema))))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(payload) - 1))
        payload[start : start + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.just(b"~")
        )
    try:
        answer = decode_answer(PARSE, bytes(payload))
    except MalformedValue:
        return
    assert isinstance(answer, (ParsedSchema, RegistryError))
    assert decode_answer(PARSE, encode_answer(answer)) == answer


@pytest.mark.parametrize(
    ("verdict", "tree"),
    [
        (b"+", {}),
        (b"+", {"verdict": 9}),
        (b"+", {"verdict": "1"}),
        (b"+", {"verdict": True}),
        (b"+", {"verdict": 1, "violations": {}}),
        (b"+", {"verdict": 1, "violations": [{"rule": "r"}]}),
        (b"+", comparison(rule=None)),
        (b"+", comparison(severity=[1])),
        (b"+", comparison(witness={"data": "no base 64", "text": ""})),
        (b"+", comparison(witness={"data": 1, "text": ""})),
        (b"+", comparison(undecided=1)),
        (b"+", comparison(direction="sideways")),
        (b"+", None),
        (b"-", ["BaseException"]),
        *[
            (
                b"-",
                {"name": "InvalidSchema", "message": "m", "violations": [], "metadata": {}, "issues": []}
                | fault,
            )
            for fault in (
                {"name": "BaseException"},
                {"name": "enum"},
                {"name": "__builtins__"},
                {"metadata": {"a": 1}},
                {"violations": ["x"]},
                {"issues": [{"rule": "r", "message": "m", "line": "1"}]},
            )
        ],
    ],
)
def test_a_tree_of_another_shape_is_refused(verdict: bytes, tree: object) -> None:
    with pytest.raises(MalformedValue):
        decode_answer(COMPARE, verdict + msgspec.json.encode(tree))


def test_the_trees_of_these_tests_are_right_but_for_their_faults() -> None:
    answer = decode_answer(COMPARE, b"+" + FINE)

    assert isinstance(answer, Comparison)
    assert answer.violations[0].witness == Witness(b"\xff\x00", "t")


# Each repeats what costs a decoder most for its bytes.
BOMBS = {
    "empty texts": b'{"names":[' + b'"",' * 2_000_000 + b'""]}',
    "entries": b'{"options":{' + b",".join(b'"%x":""' % n for n in range(1_000_000)) + b"}}",
    "values nobody asked for": b'{"x":[' + b"0," * 2_000_000 + b"0]}",
    "records": b'{"warnings":[' + b'{"rule":"","message":""},' * 1_000_000 + b"null]}",
    "fields again and again": b"{" + b'"names":["a"],' * 1_000_000 + b'"names":[]}',
}


@pytest.mark.parametrize("name", BOMBS)
def test_more_values_than_the_limit_are_refused_before_any_is_built(name: str) -> None:
    data = BOMBS[name]
    assert data.count(b",") > MAX_VALUES

    tracemalloc.start()
    try:
        with pytest.raises(MalformedValue, match="500,000 values"):
            load(ParsedSchema, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


NEEDED = b'"schema_type":1,"canonical":"","fingerprints":{"content":"","generation":"","validation":""}'


@pytest.mark.parametrize(
    ("item", "most"), [(b'"names":["%s"]', 40), (b'"options":{"%s":""}', 40), (b'"canonical":"%s"', 4)]
)
def test_text_takes_memory_in_proportion_to_its_bytes(item: bytes, most: int) -> None:
    """A text with one character beyond the others takes four bytes for each."""
    size = 1_000_000
    text = b"A" * size if b"canonical" in item else "\U0001f600".encode() + b"a" * size
    data = b"{" + NEEDED + b"," + item.replace(b"%s", text) + b"}"
    tracemalloc.start()
    try:
        load(ParsedSchema, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most * size


@pytest.mark.slow
@pytest.mark.parametrize("values", ['"",', '{"rule":"","message":""},'])
def test_values_take_memory_in_proportion_to_the_limit(values: str) -> None:
    """As many of the costliest values as pass take less than 200 MB."""
    field = "names" if values == '"",' else "warnings"
    count = (MAX_VALUES - 10) // values.count(",")
    items = (values * count).removesuffix(",")
    tracemalloc.start()
    try:
        parsed = load(ParsedSchema, b"{" + NEEDED + f',"{field}":[{items}]}}'.encode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(getattr(parsed, field)) == count
    assert peak < 200_000_000


def test_a_number_of_many_digits_is_no_number() -> None:
    """Python takes quadratic time to read one."""
    with pytest.raises(MalformedValue):
        load(
            ParsedSchema,
            b"{" + NEEDED + b',"warnings":[{"rule":"","message":"","line":' + b"9" * 10_000_000 + b"}]}",
        )


def test_a_result_of_more_values_than_the_limit_is_told_as_an_error() -> None:
    parsed = ParsedSchema(SchemaType.JSON, b"", Fingerprints("", "", ""), names=("",) * (MAX_VALUES + 2))
    answer = decode_answer(PARSE, encode_answer(parsed))

    assert isinstance(answer, errors.LimitExceeded)
    assert "larger than 500,000 values" in answer.message


def test_a_result_larger_than_a_frame_is_told_as_an_error() -> None:
    parsed = ParsedSchema(SchemaType.JSON, b"x" * (MAX_FRAME * 3 // 4), Fingerprints("", "", ""))
    answer = decode_answer(PARSE, encode_answer(parsed))

    assert isinstance(answer, errors.LimitExceeded)
    assert "larger than 67,108,864 bytes" in answer.message


def test_text_that_is_no_unicode_survives() -> None:
    lone = Comparison(
        Verdict.NO, (Violation("R", "/\ud800", "lone \udfff", witness=Witness(b"\xff", "é€😀")),)
    )
    parsed = ParsedSchema(
        SchemaType.JSON, b"", Fingerprints("", "", ""), options={"\ud800": "ÿ"}, names=("\udfff",)
    )

    assert decode_answer(COMPARE, encode_answer(lone)) == lone
    assert decode_answer(PARSE, encode_answer(parsed)) == parsed


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(MalformedValue):
        decode_answer(PARSE, encode_answer(Comparison(Verdict.YES)))


@dataclass(frozen=True)
class Loose:
    anything: Any


@pytest.mark.parametrize(
    "kind", [object, Loose, dict[int, str], tuple[int, str], list[int], float, int | str], ids=repr
)
def test_a_type_that_cannot_cross_is_found_when_it_is_first_used(kind: Any) -> None:
    with pytest.raises(TypeError, match="cannot cross"):
        load(kind, dump(None))


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


def test_a_request_is_sent_without_a_copy_of_its_contents() -> None:
    contents = [bytes([n]) * 1_000_000 for n in range(32)]
    references = tuple(ReferencedSchema(str(n), str(n), content) for n, content in enumerate(contents))
    request = Request(Parse(SchemaType.JSON, SchemaSource(b"{}", references), True), 1.0)

    tracemalloc.start()
    parts = encode_request(request)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert all(any(part is content for part in parts) for content in contents)
    assert peak < 1_000_000
    header, payload = parts[0], b"".join(parts[1:])
    assert HEADER.unpack(header) == (len(payload),)
    assert decode_request(payload) == request
