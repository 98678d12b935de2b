"""Helpers for tests of documents that arrive in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from llm_schema_engines.answers.schema import StreamingSchema
from llm_schema_engines.answers.streaming import DocumentStream
from llm_schema_engines.answers.verdict import StreamStatus
from llm_schema_engines.formats.engine import SchemaSource

DEAD, COMPLETE, VIABLE = StreamStatus.DEAD, StreamStatus.COMPLETE, StreamStatus.VIABLE


def streaming(schema: Any, **options: str) -> StreamingSchema:
    """A schema given as a value."""
    return StreamingSchema(SchemaSource(json.dumps(schema).encode(), (), options))


def pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def judged(schema: StreamingSchema, data: bytes, size: int, *, strict: bool = False) -> DocumentStream:
    """The stream after the document has come in pieces of this size and has ended."""
    stream = DocumentStream(schema, strict=strict)
    for piece in pieces(data, size):
        stream.feed(piece)
    stream.end()
    return stream


def outcome(stream: DocumentStream) -> tuple[Any, ...]:
    """What must not depend on the cut."""
    return stream.status, stream.error


def died_at(schema: Any, data: str, **options: str) -> str:
    """What came before the byte with which the document died, and the keyword; the same for every cut."""
    ready, raw = streaming(schema, **options), data.encode()
    found = {str(outcome(judged(ready, raw, size))) for size in (1, 2, 3, 5, 7, 64, 10_000)}
    assert len(found) == 1, found
    error = judged(ready, raw, 1).error
    assert error is not None
    return f"{raw[: error.byte_offset].decode(errors='replace')}|{error.keyword}"


def spelled(random: Random, value: Any) -> bytes:
    """JSON text of a value: other orders of names, escapes, white space."""
    text = json.dumps(
        shuffled(random, value),
        ensure_ascii=random.random() < 0.5,
        indent=random.choice([None, None, 1]),
        separators=random.choice([(",", ":"), (", ", ": "), (" ,\t", "\n: ")]),
    )
    if random.random() < 0.2:
        text = (
            text.replace("a", "\\u0061")
            if "\\" not in text and "true" not in text and "false" not in text
            else text
        )
    return (" " * random.choice([0, 0, 2]) + text + random.choice(["", "\n"])).encode()


def shuffled(random: Random, value: Any) -> Any:
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(random, value[name]) for name in names}
    return [shuffled(random, item) for item in value] if isinstance(value, list) else value


def fed(schema: StreamingSchema, data: bytes, random: Random, *, strict: bool) -> DocumentStream:
    """The stream after the document has come in pieces of random sizes."""
    stream = DocumentStream(schema, strict=strict)
    at = 0
    while at < len(data):
        size = random.choice([1, 2, 3, 5, 8, 40])
        stream.feed(data[at : at + size])
        at += size
    stream.end()
    return stream


def contradictions(
    schema: StreamingSchema, data: bytes, random: Random, tails: Sequence[bytes] = (), *, strict: bool = False
) -> list[str]:
    """Where the stream contradicts the ordinary validator, or itself when the document is cut otherwise.

    tails: ends to put in the place of what comes after the byte with which the document died; no such document may be valid.
    """
    validator = schema.validator()
    valid = validator.validate(data, strict=strict).valid
    whole = judged(schema, data, len(data) + 1, strict=strict)
    found = []
    if (whole.status is COMPLETE) is not valid:
        found.append(f"valid is {valid}, the stream says {outcome(whole)}")
    others = (judged(schema, data, 1, strict=strict), fed(schema, data, random, strict=strict))
    found += [
        f"cut otherwise, {outcome(whole)} becomes {outcome(other)}"
        for other in others
        if outcome(other) != outcome(whole)
    ]
    if whole.error is not None and whole.error.byte_offset < len(data):
        dead = data[: whole.error.byte_offset + 1]
        found += [
            f"dead with {dead!r}, yet {dead + tail!r} is valid"
            for tail in tails
            if validator.validate(dead + tail, strict=strict).valid and not names_twice(dead + tail)
        ]
    return found


def names_twice(document: bytes) -> bool:
    """Whether an object of the document has two members of one name, which streams refuse."""
    found = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        found.append(len({name for name, _ in pairs}) < len(pairs))

    json.loads(document, object_pairs_hook=look)
    return any(found)


TAILS = (
    b"",
    b'"',
    b"}",
    b'"}',
    b"]",
    b'"]',
    b"1",
    b"1}",
    b"1]",
    b'":1}',
    b'":"a"}',
    b"e1",
    b"e-1",
    b".0",
    b"rue",
    b'a"}',
    b'a":1}',
    b"null}",
    b'"}]',
    b"}}",
)
"""Ends that complete many small documents."""
