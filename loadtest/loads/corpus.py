"""What a registry holds while it is loaded, and the right answers to what it is asked: made here, never asked of the server. Pure."""

from __future__ import annotations

import base64
import bisect
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

JSON, AVRO, PROTOBUF = "JSON", "AVRO", "PROTOBUF"
VERSIONS = 2
"""Of each subject; the second allows more than the first."""


@dataclass(frozen=True)
class Entry:
    """A version that is registered: what a read must answer with, and data of which one is valid under it and one is not."""

    subject: str
    ordinal: int
    schema_type: str
    content: str
    valid: str
    invalid: str
    schema_id: str = ""
    latest: bool = False


def subject(number: int) -> str:
    """The name of a subject of the corpus."""
    return f"load.s{number:05}"


def entries(number: int) -> list[Entry]:
    """The versions of one subject in the order in which they are registered; seven in ten are JSON Schemas, two Avro, one Protobuf."""
    kind = {3: AVRO, 6: AVRO, 9: PROTOBUF}.get(number % 10, JSON)
    make = {JSON: _json, AVRO: _avro, PROTOBUF: _protobuf}[kind]
    made = []
    for ordinal in range(1, VERSIONS + 1):
        content, valid, invalid = make(number, ordinal)
        made.append(
            Entry(subject(number), ordinal, kind, content, valid, invalid, latest=ordinal == VERSIONS)
        )
    return made


def candidate(entry: Entry, unique: int, *, compatible: bool) -> str:
    """A schema that was not seen before and is, or is not, backward compatible with this latest version of a subject."""
    if entry.schema_type == JSON:
        schema = json.loads(entry.content)
        schema["title"] = f"candidate {unique}"
        schema["properties"]["id"]["maxLength"] = 10_000 + unique if compatible else 5
        return json.dumps(schema)
    if entry.schema_type == AVRO:
        schema = json.loads(entry.content)
        default = {"default": 0} if compatible else {}
        schema["fields"].append({"name": f"more_{unique}", "type": "int", **default})
        return json.dumps(schema)
    changed = entry.content if compatible else entry.content.replace("string id = 1", "int32 id = 1")
    return changed.replace("message Order {", f"message Order {{ string more_{unique} = 99;", 1)


def growing(name: str, ordinal: int) -> str:
    """A JSON Schema of about a kilobyte, compatible with the one of the ordinal before it; no two names have the same."""
    schema = json.loads(_json(0, ordinal)[0])
    schema["title"] = name
    return json.dumps(schema)


class Zipf:
    """Chooses from 0 to count - 1, the n-th with a share of 1 / n ** exponent: few are asked for often, most seldom."""

    def __init__(self, count: int, exponent: float, chooser: random.Random) -> None:
        self._sums = list(itertools.accumulate(1 / rank**exponent for rank in range(1, count + 1)))
        self._chooser = chooser
        # The popular ones are spread over all kinds of schemas.
        self._places = list(range(count))
        random.Random(count).shuffle(self._places)

    def next(self) -> int:
        """The next choice."""
        at = bisect.bisect_left(self._sums, self._chooser.random() * self._sums[-1])
        return self._places[min(at, len(self._places) - 1)]


def without_ids(count: int) -> Iterator[Entry]:
    """The corpus of so many subjects, version after version; a version is registered when the one before it is."""
    everything = [entries(number) for number in range(count)]
    for ordinal in range(VERSIONS):
        for versions in everything:
            yield versions[ordinal]


def encoded(text: str) -> str:
    """As `bytes` fields stand in JSON."""
    return base64.b64encode(text.encode()).decode()


def _json(number: int, ordinal: int) -> tuple[str, str, str]:
    fields = {f"field_{n}": {"type": "string", "description": f"Field {n} of {number}."} for n in range(12)}
    schema = {
        "type": "object",
        "title": f"t{number}",
        "properties": {
            "id": {"type": "string", "maxLength": 99 + ordinal},
            "count": {"type": "integer"},
            **fields,
        },
        "required": ["id"],
        "additionalProperties": False,
    }
    return json.dumps(schema), '{"id": "a-1", "count": 3, "field_1": "text"}', '{"id": 7, "count": 3}'


def _avro(number: int, ordinal: int) -> tuple[str, str, str]:
    fields: list[dict[str, object]] = [
        {"name": "id", "type": "string", "doc": f"Of record {number}."},
        {"name": "count", "type": "long"},
    ]
    more = ""
    if ordinal > 1:
        fields.append({"name": "note", "type": "string", "default": ""})
        more = ', "note": "text"'
    record = {"type": "record", "name": f"Order{number}", "namespace": "load", "fields": fields}
    return json.dumps(record), f'{{"id": "a-1", "count": 3{more}}}', f'{{"id": 7, "count": 3{more}}}'


def _protobuf(number: int, ordinal: int) -> tuple[str, str, str]:
    note = "string note = 3; " if ordinal > 1 else ""
    content = (
        f'syntax = "proto3";\npackage load.v{number};\n'
        f"message Order {{ string id = 1; int64 count = 2; {note}}}\n"
    )
    return content, '{"id": "a-1", "count": "3"}', '{"id": 7}'


def latest(corpus: Sequence[Entry]) -> list[Entry]:
    """The last version of each subject."""
    return [entry for entry in corpus if entry.latest]
