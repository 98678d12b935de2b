"""What judging a document costs while it arrives, by the size of the pieces; and how early documents that went wrong die.

    PYTHONPATH=engines python loadtest/engines/answer_streams.py [--runs 7] [--markdown FILE]

One thread, its processor time. Each figure is the median over the runs of the time for a KiB of the document, with the fastest and
the slowest run. The page is to show at most 2 ms/KiB in pieces of 4 bytes and 0.3 ms/KiB in pieces of 64 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from llm_schema_engines.answers.schema import StreamingSchema
from llm_schema_engines.answers.streaming import DocumentStream
from llm_schema_engines.answers.verdict import StreamStatus
from llm_schema_engines.formats.engine import SchemaSource

PIECES = (1, 4, 16, 64, 1024, 1 << 20)
ALLOWED = {4: 2.0, 64: 0.3}
"""Size of the pieces -> milliseconds for a KiB at most."""
OPTIONS = {"dialect": "2020-12", "format_policy": "ASSERT"}
_WORDS = [
    "the",
    "customer",
    "reports",
    "that",
    "invoice",
    "number",
    "was",
    "charged",
    "twice",
    "and",
    "asks",
    "for",
    "a",
    "refund",
]

TICKET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical", "sales"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "summary": {"type": "string", "maxLength": 200_000},
        "id": {"type": "string", "pattern": "^T-[0-9]+$"},
    },
    "required": ["category", "priority", "summary"],
    "additionalProperties": False,
}


def _event(kind: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"kind": {"const": kind}, **properties},
        "required": ["kind", *required],
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "created": {"type": "string", "format": "date-time"},
        "email": {"type": ["string", "null"], "format": "email"},
        "events": {
            "type": "array",
            "items": {
                "anyOf": [
                    _event("created", {"by": TEXT}, ["by"]),
                    _event("moved", {"from": TEXT, "to": TEXT, "weight": {"type": "number"}}, ["from", "to"]),
                    _event("closed", {"reason": {"enum": ["done", "lost"]}, "ok": {"type": "boolean"}}, []),
                ]
            },
        },
    },
    "required": ["id", "events"],
    "additionalProperties": False,
}
TREE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": TEXT,
                "tags": {"type": "object", "additionalProperties": TEXT},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "value": {"type": ["number", "null"]},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}


def words(random: Random, count: int) -> str:
    return " ".join(random.choice(_WORDS) for _ in range(count))


def ticket(random: Random, size: int) -> Any:
    return {"category": "billing", "priority": 3, "summary": words(random, size // 6), "id": "T-123"}


def order(random: Random, size: int) -> Any:
    def event() -> Any:
        created = {"kind": "created", "by": words(random, 2)}
        moved = {"kind": "moved", "from": words(random, 1), "to": words(random, 3), "weight": random.random()}
        return random.choice([created, moved, {"kind": "closed", "reason": "done", "ok": True}])

    events = [event() for _ in range(size // 60)]
    head = {"id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "created": "2026-02-03T10:00:00Z", "email": None}
    return {**head, "events": events}


def tree(random: Random, size: int) -> Any:
    return {
        "name": words(random, 2),
        "tags": {words(random, 1) + str(i): words(random, 2) for i in range(2)},
        "value": random.choice([None, 1, 2.5]),
        "children": [tree(random, size // 3) for _ in range(3)] if size > 300 else [],
    }


CASES = (
    ("ticket, one long text", TICKET, ticket),
    ("order, tagged union", ORDER, order),
    ("tree, recursive", TREE, tree),
)


def feed(schema: StreamingSchema, document: bytes, size: int) -> DocumentStream:
    stream = DocumentStream(schema)
    for at in range(0, len(document), size):
        if stream.feed(document[at : at + size]) is StreamStatus.DEAD:
            break
    stream.end()
    return stream


def seconds(schema: StreamingSchema, document: bytes, size: int) -> float:
    rounds = max(1, 40_000 // len(document))
    began = time.process_time()
    for _ in range(rounds):
        feed(schema, document, size)
    return (time.process_time() - began) / rounds


def rows(runs: int) -> Iterator[tuple[str, int, int, float, float, float]]:
    """Document, its bytes, bytes of a piece, ms/KiB: median, fastest, slowest run."""
    for name, schema, make in CASES:
        ready = StreamingSchema(SchemaSource(json.dumps(schema).encode(), (), OPTIONS))
        for size in (1_000, 20_000):
            document = json.dumps(make(Random(1), size)).encode()
            assert feed(ready, document, 7).status is StreamStatus.COMPLETE
            for piece in PIECES:
                times = [seconds(ready, document, piece) * 1e3 / (len(document) / 1024) for _ in range(runs)]
                yield name, len(document), piece, statistics.median(times), min(times), max(times)


def deaths(count: int) -> Iterator[tuple[str, int, float]]:
    """Document, how many were spoilt, the share of their bytes that had not come when they died."""
    for name, schema, make in CASES:
        ready = StreamingSchema(SchemaSource(json.dumps(schema).encode(), (), OPTIONS))
        random, left = Random(2), list[float]()
        while len(left) < count:
            document = bytearray(json.dumps(make(random, 1_000)).encode())
            document[random.randrange(len(document))] = random.choice(b'x1"{}[],:')
            stream = feed(ready, bytes(document), 1)
            if stream.error is not None:
                left.append(1 - min(1.0, (stream.error.byte_offset + 1) / len(document)))
        yield name, count, statistics.mean(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = [
        "# Documents judged while they arrive",
        "",
        f"`python loadtest/engines/answer_streams.py --runs {options.runs}`",
        "",
        f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}; Python {platform.python_version()}",
        "",
        "| document | bytes | bytes of a piece | ms/KiB, median | fastest to slowest run | allowed |",
        "|---|---|---|---|---|---|",
    ]
    for name, length, piece, median, least, most in rows(options.runs):
        allowed = f"{ALLOWED[piece]}" if piece in ALLOWED else ""
        shown = "all" if piece >= length else str(piece)
        lines.append(
            f"| {name} | {length} | {shown} | {median:.3f} | {least:.3f} to {most:.3f} | {allowed} |"
        )
    lines += [
        "",
        "One byte of a valid document of about 1 KiB is changed at random; those that are invalid then:",
        "",
    ]
    lines += ["| document | spoilt | share of the bytes that need not come |", "|---|---|---|"]
    lines += [f"| {name} | {count} | {share:.0%} |" for name, count, share in deaths(500)]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
