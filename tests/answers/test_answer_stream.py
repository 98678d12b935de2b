"""Answers with a code fence and words around, and the valid part of what has come."""

from __future__ import annotations

import pytest

from llm_schema_engines.answers.answer import AnswerStream

from .streams import pieces, streaming

SCHEMA = streaming({"type": "object", "properties": {"a": {"type": "integer"}, "s": {"type": "string"}}})


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (b'{"a":1}', ""),
        (b' ```json\n{"a":1}\n```\n', ""),
        (b'```\n{"a":1}', ""),
        (b'```json\n{"a":"x"}\n```', "byte 13: /a: type"),
        (b'{"a":1} x', "byte 8: (root): json/syntax"),
        (b'```\n{"a":1}\n``', "byte 14: (root): json/syntax"),
        (b'```\n{"a":1}\n``` x', "byte 16: (root): json/syntax"),
        (b"``x", "byte 0: (root): json/syntax"),
        (b"```json", "byte 7: (root): json/syntax"),
        (b"", "byte 0: (root): json/syntax"),
    ],
)
def test_a_code_fence(answer: bytes, end: str) -> None:
    found = {_ended(answer, size, fence=True) for size in (1, 2, 3, 5, 100)}

    assert len(found) == 1
    (error,) = found
    assert error.startswith(end) if end else error == ""


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (b'Here [it] is: {"a":1} Bye {', ""),
        (b'See [1].\n```json\n{"a":1}\n```\nBye', ""),
        (b'Well {"a":"x"}', "byte 10: /a: type"),
        (b"no document", "byte 11: (root): json/syntax"),
    ],
)
def test_words_around(answer: bytes, end: str) -> None:
    found = {_ended(answer, size, fence=True, prose=True) for size in (1, 2, 3, 5, 100)}

    assert len(found) == 1
    assert found.pop().startswith(end) if end else found == {""}


def _ended(answer: bytes, size: int, *, fence: bool = False, prose: bool = False) -> str:
    stream = AnswerStream(SCHEMA, fence=fence, prose=prose)
    for piece in pieces(answer, size):
        stream.feed(piece)
    stream.end()
    return "" if stream.error is None else str(stream.error)


def test_the_valid_part_of_what_has_come() -> None:
    stream = AnswerStream(SCHEMA, keep=True)
    assert stream.partial().empty

    stream.feed(b'{"a": 12, "s": "hel')
    part = stream.partial()
    assert part.value == {"a": 12, "s": "hel"}
    assert part.open == "/s"
    assert part.is_complete("/a")
    assert not part.is_complete("/s")
    assert not part.is_complete("")
    assert not part.is_complete("/x")

    stream.feed(b'lo\\u00e9", "t": [1, {"x": 2')
    part = stream.partial()
    assert part.value == {"a": 12, "s": "helloé", "t": [1, {}]}
    assert part.is_complete("/t/0")
    assert not part.is_complete("/t/1")
    assert not part.is_complete("/t/01")

    stream.feed(b"}]}")
    assert stream.partial().complete
    assert stream.partial().is_complete("")
    assert stream.partial().value == {"a": 12, "s": "helloé", "t": [1, {"x": 2}]}
    with pytest.raises(ValueError, match="pointer"):
        part.is_complete("t")


def test_of_a_dead_document_the_part_before_is_left() -> None:
    stream = AnswerStream(SCHEMA, keep=True)
    stream.feed(b'{"s": "ok", "a": "x')

    assert stream.partial().value == {"s": "ok"}
    assert stream.partial().open == "/a"


def test_the_part_before_does_not_change_with_what_comes() -> None:
    stream = AnswerStream(SCHEMA, keep=True)
    stream.feed(b'{"t": [1')
    stream.feed(b", 2")
    before = stream.partial()
    stream.feed(b", 3], ")

    assert before.value == {"t": [1]}
    assert stream.partial().value == {"t": [1, 2, 3]}


def test_only_a_stream_that_keeps_its_value_has_a_part() -> None:
    with pytest.raises(ValueError, match="keep"):
        AnswerStream(SCHEMA).partial()
